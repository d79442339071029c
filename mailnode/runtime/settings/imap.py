"""The ``[imap]`` section: limits and manners of the IMAP server."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from mailnode.runtime.settings.section import Section


class ImapSettings(Section):
    """How long IMAP sessions may last, how much they may ask, and what they may do."""

    plaintext_login: bool = Field(
        default=False,
        description="Let clients send passwords without TLS. Leave it off outside a test.",
    )
    login_timeout_s: float = Field(
        default=60.0, ge=1, le=3600, description="A client that has not logged in by then is left."
    )
    idle_timeout_s: float = Field(
        default=1800.0,
        ge=1,
        le=86400,
        description="A logged-in client may be silent for so long; RFC 9051 5.4 asks for 1800.",
    )
    write_timeout_s: float = Field(
        default=180.0,
        ge=1,
        le=3600,
        description="A client that does not take what it asked for is left after so many seconds.",
    )
    max_sessions: int = Field(
        default=20000, ge=1, description="Open connections that one worker takes."
    )
    max_sessions_per_ip: int = Field(
        default=1000,
        ge=1,
        description="Open connections from one IP address, in all workers together (a web mail "
        "server has many).",
    )
    max_sessions_per_user_ip: int = Field(
        default=30,
        ge=1,
        description="Logged-in connections of one user from one IP address, in all workers "
        "together.",
    )
    max_line_bytes: int = Field(
        default=65536, ge=8192, le=16777216, description="Longest command line, literals apart."
    )
    max_literal_bytes: int = Field(
        default=1048576,
        ge=1024,
        le=67108864,
        description="Largest total of the literals of one command other than APPEND.",
    )
    max_append_bytes: int = Field(
        default=104857600,
        ge=1024,
        le=2000000000,  # as smtp.max_message_bytes
        description="Largest message that APPEND takes; told to clients as APPENDLIMIT.",
    )
    unauthenticate: bool = Field(
        default=True,
        description="Let a client log in again as another user on the same connection (RFC 8437). "
        "Turn it off behind a proxy that checks logins and then only passes octets on.",
    )
    accept_8bit_headers: bool = Field(
        default=True,
        description="Take messages with 8-bit header fields by APPEND also from clients that did "
        "not enable UTF-8, as mbsync and imapsync do not when they move old mail. RFC 6855 4 says "
        "to refuse them: turn it off to keep to that.",
    )
    downgrade_headers: bool = Field(
        default=False,
        description="Show clients that did not enable UTF-8 8-bit header fields in ASCII, as "
        "encoded words (RFC 6855 8, 6858). Off, messages are handed out octet by octet as they "
        "came, with the size they have: copies and signatures stay whole.",
    )
    annotations: int = Field(
        default=50,
        ge=10,
        le=10000,
        description="Annotations (RFC 5464) that a user may see on one mailbox or the server.",
    )
    annotation_bytes: int = Field(
        default=16384, ge=1024, le=1048576, description="Largest value of an annotation."
    )
    notify_folders: int = Field(
        default=200,
        ge=1,
        le=10000,
        description="Folders that one client may watch by NOTIFY; with more it is told so.",
    )
    submission_users: list[str] = Field(
        default=[],
        description="Users that are submission servers (RFC 4468 BURL): they may fetch what users "
        "let be submitted by URLAUTH=submit+... Give such an account to nobody else.",
    )
    others_prefix: str = Field(
        default="Other Users",
        pattern=r"^[^/*%\x00-\x1f]*$",
        description="What mailboxes that other users share are called below: PREFIX/USER/MAILBOX. "
        "Empty: they are not offered.",
    )
    public_prefix: str = Field(
        default="Public",
        pattern=r"^[^/*%\x00-\x1f]*$",
        description="What the public mailboxes of a domain are called below: PREFIX/MAILBOX. "
        "Empty: they are not offered.",
    )
    private_seen: bool = Field(
        default=True,
        description="In mailboxes that are shared or public each reader has a \\Seen flag of his "
        "own. Off: all see one and the same. The same on every node.",
    )
    share_everywhere: bool = Field(
        default=False,
        description="Let users share mailboxes with users of other domains; anyone is then "
        "everybody on this server rather than in the owner's domain.",
    )
    admin_uri: str = Field(
        default="",
        description="How to reach you, told to clients as annotation /shared/admin: a URI such "
        "as mailto:postmaster@example.org.",
    )
    server_comment: str = Field(
        default="", description="Told to clients as the server's annotation /shared/comment."
    )
    spool_bytes: int = Field(
        default=262144,
        ge=1024,
        description="Messages above this size are written to a file while they arrive by APPEND.",
    )
    spool_dir: Path | None = Field(
        default=None, description="Folder for such files. Unset: the system's temporary folder."
    )
    max_bad_commands: int = Field(
        default=20, ge=1, description="So many wrong commands in a row end the connection."
    )
    batch_messages: int = Field(
        default=500,
        ge=1,
        le=100000,
        description="Messages that a command handles before other sessions get their turn.",
    )

    @model_validator(mode="after")
    def _prefixes_apart(self) -> ImapSettings:
        names = [name for name in (self.others_prefix, self.public_prefix) if name]
        if len(set(names)) < len(names) or any(name.upper() == "INBOX" for name in names):
            raise ValueError("others_prefix and public_prefix must differ, and neither be INBOX")
        return self
