"""Reads ``mailnode.toml`` into one frozen ``Settings``.

Promises: all errors of a file are told at once, one line each, with key, value and remedy;
a secret in a wrong value is not repeated.
Fails: ``BadSettings``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from mailnode.model.errors import BadSettings
from mailnode.runtime.settings.cluster import SHARED_FOLDER, ClusterSettings
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.settings.listen import ListenSettings
from mailnode.runtime.settings.log import LogSettings
from mailnode.runtime.settings.login import LoginSettings
from mailnode.runtime.settings.oauth import OauthSettings
from mailnode.runtime.settings.pop3 import Pop3Settings
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.settings.routing import RoutingSettings
from mailnode.runtime.settings.section import Section
from mailnode.runtime.settings.server import ServerSettings
from mailnode.runtime.settings.smtp import SmtpSettings
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.runtime.settings.tls import TlsSettings
from mailnode.runtime.settings.wrong import describe


class Settings(Section):
    """Everything that can be set, one attribute for each ``[section]``."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    listen: ListenSettings = Field(default_factory=ListenSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    directory: DirectorySettings = Field(default_factory=DirectorySettings)
    login: LoginSettings = Field(default_factory=LoginSettings)
    oauth: OauthSettings = Field(default_factory=OauthSettings)
    routing: RoutingSettings = Field(default_factory=RoutingSettings)
    smtp: SmtpSettings = Field(default_factory=SmtpSettings)
    queue: QueueSettings = Field(default_factory=QueueSettings)
    imap: ImapSettings = Field(default_factory=ImapSettings)
    pop3: Pop3Settings = Field(default_factory=Pop3Settings)
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)

    @property
    def spool_folder(self) -> Path:
        """This node's spool: where the others can adopt it, on a shared mail root."""
        if self.cluster.shared:
            return self.server.mail_dir / SHARED_FOLDER / "spool" / self.server.node
        return self.server.spool_dir

    @property
    def poll_s(self) -> float:
        """How long a change that nobody told of may go unseen, in seconds."""
        both = min(self.server.poll_s, self.cluster.poll_s)
        return both if self.cluster.shared else self.server.poll_s


def load_settings(
    path: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Settings from ``path`` (``None``: defaults only), with ``overrides`` (section, then key)
    laid over the file. Raises ``BadSettings`` whose text has one line for each error."""
    found = _read(path) if path else {}
    source = str(path) if path else "options"
    for section, keys in (overrides or {}).items():
        kept = found.get(section, {})
        found[section] = {**kept, **keys} if isinstance(kept, dict) else kept
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        raise BadSettings("\n".join(describe(error, Settings, source))) from None


def _read(path: Path) -> dict[str, Any]:
    """The file as plain values. Raises ``BadSettings``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        remedy = "make one with `mailnode quickstart DOMAIN` or `mailnode config example`"
        raise BadSettings(f"{path}: no such file; {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadSettings(f"{path}: cannot be read: {reason}") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{path}: not TOML: {error}") from None
