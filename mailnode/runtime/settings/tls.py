"""The ``[tls]`` section: certificate, key, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mailnode.runtime.settings.section import Section


class TlsSettings(Section):
    """Certificate and key of every port; SIGHUP reads them again."""

    certificate: Path = Field(
        default=Path("/etc/mailnode/tls/fullchain.pem"),
        description="PEM file: our certificate first, then those that signed it.",
    )
    key: Path = Field(
        default=Path("/etc/mailnode/tls/privkey.pem"),
        description="PEM file: the private key, without a passphrase, readable by server.user.",
    )
    self_signed: bool = Field(
        default=False,
        description="Make and use a self-signed certificate in server.state_dir instead of the "
        "files above. For trials: mail clients will warn.",
    )
    min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="Oldest TLS version that is spoken (RFC 8996: not below 1.2)."
    )
    client_ca: Path | None = Field(
        default=None,
        description="PEM file: the authorities that sign certificates of users. With it, "
        "submission, IMAP and POP3 ask clients for one (who has none goes on without), and who "
        "shows one may log in by it (SASL EXTERNAL) as the mail address in its subjectAltName, "
        "else in its common name. Name only authorities that you trust to name your users.",
    )
    client_crl: Path | None = Field(
        default=None,
        description="PEM file: what these authorities have revoked, a list for each. Once it is "
        "out of date no user's certificate is taken; SIGHUP reads it again.",
    )
