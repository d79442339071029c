"""The ``[smtp]`` section: limits and manners of MX, submission and LMTP."""

from __future__ import annotations

from pydantic import Field

from mailnode.runtime.settings.section import Section


class SmtpSettings(Section):
    """What clients that bring mail may do: MX (25), submission (587, 465) and LMTP alike."""

    # RFC 3501 9: IMAP tells sizes in 32 bits, which many clients read as signed; what is stored is
    # a little larger than what came.
    max_message_bytes: int = Field(
        default=52_428_800,
        ge=65_536,
        le=2_000_000_000,
        description="Largest message taken (announced as SIZE), 2 GB at most: IMAP tells sizes in "
        "32 bits.",
    )
    # RFC 5321 4.5.3.1.8: at least 100 recipients must be taken.
    max_recipients: int = Field(
        default=1000, ge=100, le=50_000, description="Recipients of one message."
    )
    max_messages_per_connection: int = Field(
        default=10_000, ge=1, description="Messages taken before a client must connect anew."
    )
    max_line_bytes: int = Field(
        default=65_536,
        ge=998,
        description="Longest line in a message; RFC 5322 allows 998, programs write more.",
    )
    max_errors: int = Field(
        default=20, ge=1, description="Refused commands since the last message before goodbye."
    )
    max_connections: int = Field(
        default=1000, ge=1, description="Open connections of one service in one worker."
    )
    max_connections_per_peer: int = Field(
        default=50,
        ge=1,
        description="Open connections of one service from one address (IPv6: one /64), in all "
        "workers together; this machine itself is not limited.",
    )
    # RFC 5321 4.5.3.2.7: at least five minutes.
    command_timeout_s: float = Field(
        default=300.0, gt=0, description="Silence allowed while a command is awaited, in seconds."
    )
    # RFC 5321 4.5.3.2.5: at least three minutes.
    data_timeout_s: float = Field(
        default=180.0, gt=0, description="Silence allowed within a message, in seconds."
    )
    message_timeout_s: float = Field(
        default=3600.0, gt=0, description="Time one message may take in all, in seconds."
    )
    greeting_delay_s: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="Pause before the greeting on port 25; who talks during it is turned away.",
    )
    max_received: int = Field(
        default=100, ge=100, description="Received headers at which a message is taken for looping."
    )
    memory_bytes: int = Field(
        default=262_144,
        ge=16_384,
        description="Part of a message held in memory; what is larger goes to a temporary file.",
    )
    temp_folder: str = Field(
        default="",
        description="Where large messages wait while they come in (node-local, no tmpfs); empty: "
        "the system's temporary folder.",
    )
    auth_without_tls_on_loopback: bool = Field(
        default=False, description="Offer AUTH without TLS to clients on this very machine."
    )
