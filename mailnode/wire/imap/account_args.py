"""Commands on a user's account beyond its folders and messages, as values.

RFC: 4314 (ACL), 4467 (URLAUTH), 5464 (METADATA), 9208 (QUOTA).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailnode.wire.imap.notify_args import Notify


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA; GETQUOTAROOT has ``OneMailbox``."""

    root: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """SETQUOTA; resource names in upper case with their limits."""

    root: str
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class GetMetadata:
    """GETMETADATA; mailbox ``""`` is the server. Entry names in lower case. ``depth`` 0, 1 or
    ``None`` (infinity); ``max_size`` in octets."""

    mailbox: str
    entries: tuple[str, ...]
    depth: int | None = 0
    max_size: int | None = None


@dataclass(frozen=True, slots=True)
class SetMetadata:
    """SETMETADATA; a value of ``None`` removes the entry."""

    mailbox: str
    values: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class GenUrlAuth:
    """GENURLAUTH: each URL without its verifier, and the mechanism that is to make one."""

    urls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ResetKey:
    """RESETKEY; mailbox ``""`` is all of them."""

    mailbox: str
    mechanisms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UrlFetch:
    """URLFETCH."""

    urls: tuple[str, ...]


UrlArgs = GenUrlAuth | ResetKey | UrlFetch


@dataclass(frozen=True, slots=True)
class SetAcl:
    """SETACL; DELETEACL with no ``rights`` at all. ``identifier`` without the ``-`` of a
    ``negative`` one; ``op``: ``+`` and ``-`` change what is there, empty replaces it."""

    mailbox: str
    identifier: str
    negative: bool = False
    op: str = ""
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class ListRights:
    """LISTRIGHTS; GETACL and MYRIGHTS have ``OneMailbox``."""

    mailbox: str
    identifier: str


AclArgs = SetAcl | ListRights
AccountArgs = UrlArgs | AclArgs | GetQuota | SetQuota | GetMetadata | SetMetadata | Notify
