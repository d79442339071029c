"""Who may do what with a folder: its access control list, a file that Dovecot reads, too.

``dovecot-acl`` in the folder's directory (INBOX: the account's own): a line ``<identifier>
<rights>[ :<names>]`` each, ``-`` before the identifier takes rights away. Identifiers are written
``user=ann@example.org``, ``group=example.org`` (everybody of a domain), ``anyone``,
``authenticated``, ``owner``; here they have IMAP's form: ``ann@example.org``, ``@example.org`` …
and ``$name`` for a group that only another program knows, ``$=…`` for what else it wrote. The
first line is a comment that tells the version.
Promises: replaced whole and durable; what is not understood is kept; a list of a newer version is
refused. Of the entries that fit a person the most specific one counts: user, domain,
``authenticated``, ``anyone``; then whatever any negative entry takes away is gone.
Fails: ``StorageGone``, ``StorageFull``, ``TooManyEntries``.
Locks: writing is done under the account's lock; reading needs none.
RFC: 4314 2.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mailnode.model.errors import PermanentError, StorageGone
from mailnode.model.rights import OBSOLETE, ordered
from mailnode.runtime import files

ACL_NAME = b"dovecot-acl"
ANYONE, AUTHENTICATED, OWNER = "anyone", "authenticated", "owner"
_RESERVED = frozenset((ANYONE, AUTHENTICATED, OWNER))
MAX_ENTRIES = 500
_MAX_BYTES = 1 << 20
_VERSION = 1
_VERSION_LINE = re.compile(rb"# mailnode acl ([0-9]{1,9})\s*\Z")
_LINE = re.compile(r'(-?)(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*([^:]*)(?::(.*))?\Z')
_PLAIN = re.compile(r"[^\s\"\\#-][^\s\"\\]*\Z")
# Dovecot's names for the rights, where a file has them behind the colon.
_NAMED = {
    "lookup": "l", "read": "r", "write": "w", "write-seen": "s", "write-deleted": "t",
    "insert": "i", "post": "p", "expunge": "e", "create": "k", "delete": "x", "admin": "a",
}  # fmt: skip
_CACHED = 10_000


class TooManyEntries(PermanentError):
    """The list holds as many identifiers as it may."""

    public = "too many identifiers in the access control list"


class Entry(NamedTuple):
    """One line. ``negative``: takes the rights away; ``unknown``: names of rights that are not
    ours, kept for whoever knows them."""

    identifier: str
    rights: str
    negative: bool = False
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: a login address in lower case."""

    user: str

    @property
    def domain(self) -> str:
        """What stands behind the ``@``; empty where there is none."""
        return self.user.rpartition("@")[2] if "@" in self.user else ""

    def identifiers(self) -> tuple[str, ...]:
        """What stands for this person in a list, the most specific first."""
        group = (f"@{self.domain}",) if self.domain else ()
        return (self.user, *group, AUTHENTICATED, ANYONE)


@dataclass(frozen=True, slots=True)
class Acl:
    """The entries of one folder."""

    entries: tuple[Entry, ...] = ()

    def rights(self, person: Person) -> str:
        """What somebody other than the owner may do."""
        fitting = person.identifiers()
        granted = {e.identifier: e.rights for e in self.entries if not e.negative}
        first = next((granted[name] for name in fitting if name in granted), "")
        denied = {
            right
            for entry in self.entries
            if entry.negative and entry.identifier in fitting
            for right in entry.rights
        }
        return ordered(set(first) - denied)

    def find(self, identifier: str, *, negative: bool = False) -> Entry | None:
        """The entry of an identifier."""
        for entry in self.entries:
            if (entry.identifier, entry.negative) == (identifier, negative):
                return entry
        return None

    def replaced(self, entry: Entry) -> Acl:
        """With this entry instead of the one it has for the identifier. Raises
        ``TooManyEntries``."""
        others = self.without(entry.identifier, negative=entry.negative).entries
        if len(others) >= MAX_ENTRIES:
            raise TooManyEntries
        return Acl((*others, entry))

    def without(self, identifier: str, *, negative: bool = False) -> Acl:
        """Without the entry of an identifier."""
        gone = (identifier, negative)
        return Acl(tuple(e for e in self.entries if (e.identifier, e.negative) != gone))

    def grantees(self) -> set[str]:
        """Identifiers that the list gives anything to."""
        return {e.identifier for e in self.entries if e.rights and not e.negative}


NOBODY = Acl()


# ---------------------------------------------------------------------- the file


def read(path: bytes) -> Acl:
    """The list in this folder's directory; nobody's where there is none."""
    name = path + b"/" + ACL_NAME
    try:
        with files.storage_errors(name):
            fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with open(fd, "rb") as file:
                raw = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return NOBODY
    return Acl(tuple(parse(raw)))


def write(path: bytes, acl: Acl) -> None:
    """Replace the list in this folder's directory, durably."""
    lines = [f"# mailnode acl {_VERSION}", *map(format_entry, acl.entries)]
    text = "\n".join(lines) + "\n"
    files.replace(path + b"/" + ACL_NAME, text.encode("utf-8", "surrogateescape"))


def parse(raw: bytes) -> Iterator[Entry]:
    """The entries of a file. Raises ``StorageGone`` for one of a newer version."""
    for raw_line in raw.split(b"\n"):
        version = _VERSION_LINE.match(raw_line)
        if version and int(version[1]) > _VERSION:
            raise StorageGone(f"access control list of version {int(version[1])}")
        line = raw_line.decode("utf-8", "surrogateescape").strip()
        found = _LINE.match(line) if line and not line.startswith("#") else None
        if found:
            yield _entry(*found.groups(default=""))


def _entry(minus: str, quoted: str, plain: str, letters: str, named: str) -> Entry:
    name = re.sub(r"\\(.)", r"\1", quoted) or plain
    negative = bool(minus) or name.startswith("-")
    unknown = [word for word in named.split() if word not in _NAMED]
    spelt = "".join(OBSOLETE.get(right, right) for right in letters)
    spelt += "".join(_NAMED.get(word, "") for word in named.split())
    # However many: what is written of the entry must read as the same one.
    return Entry(_from_file(name.lstrip("-")), ordered(spelt), negative, " ".join(unknown))


def _from_file(name: str) -> str:
    if name in _RESERVED:
        return name
    kind, _, value = name.partition("=")
    # A user or group that is called like something else of ours must not become that.
    if kind == "user" and value and value.lower() not in _RESERVED and value[0] not in "@$":
        return value.lower()
    if kind == "group" and value and value[0] != "=":
        # Only names with a dot are domains; what else is a group there, nobody is in here.
        return f"@{value.lower()}" if "." in value else f"${value}"
    return f"$={name}"


def format_entry(entry: Entry) -> str:
    """The line of an entry."""
    name = _to_file(entry.identifier)
    if not _PLAIN.match(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    names = f" :{entry.unknown}" if entry.unknown else ""
    return f"{'-' if entry.negative else ''}{name} {entry.rights}{names}"


def _to_file(identifier: str) -> str:
    if identifier in _RESERVED:
        return identifier
    if identifier.startswith("$="):
        return identifier[2:]
    if identifier[:1] in ("@", "$"):
        return f"group={identifier[1:]}"
    return f"user={identifier}"


class AclCache:
    """Lists by directory, read again when the file is another; a look costs one ``stat``."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[tuple[int, int, int], Acl]] = {}

    def read(self, path: bytes) -> Acl:
        """See ``read``."""
        try:
            with files.storage_errors(path):
                there = os.stat(path + b"/" + ACL_NAME, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            self._kept.pop(path, None)
            return NOBODY
        # Replaced whole each time, so another content has another inode.
        stamp = (there.st_ino, there.st_mtime_ns, there.st_size)
        kept = self._kept.get(path)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        acl = read(path)
        if len(self._kept) >= _CACHED:
            self._kept.clear()
        self._kept[path] = (stamp, acl)
        return acl
