"""What the registry hands out: rows of PostfixAdmin's tables as values, without secrets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DomainRow:
    """A domain with its limits (0 = none; -1 = no mailbox or alias allowed; sizes in MB)."""

    domain: str
    description: str
    aliases: int
    mailboxes: int
    maxquota_mb: int
    quota_mb: int
    transport: str
    backupmx: bool
    active: bool
    password_expiry_days: int


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox. ``quota_bytes`` 0 = no limit; ``used_bytes`` and ``messages`` as last reported."""

    username: str
    name: str
    domain: str
    maildir: str
    quota_bytes: int
    used_bytes: int
    messages: int
    active: bool
    smtp_active: bool
    totp: bool


@dataclass(frozen=True, slots=True)
class AliasRow:
    """An alias; ``address`` is ``@domain`` for a catch-all; ``mailbox``: it belongs to one."""

    address: str
    targets: tuple[str, ...]
    domain: str
    active: bool
    mailbox: bool


@dataclass(frozen=True, slots=True)
class AliasDomainRow:
    """A domain whose addresses are those of another."""

    alias_domain: str
    target_domain: str
    active: bool


@dataclass(frozen=True, slots=True)
class AdminRow:
    """A PostfixAdmin administrator; a superadmin rules every domain."""

    username: str
    superadmin: bool
    active: bool
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppPasswordRow:
    """An app password, known by its number."""

    id: int
    username: str
    description: str
