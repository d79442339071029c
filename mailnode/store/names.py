"""Names on disk: of message files and of folders.

Message: ``<time>.M<usec>P<pid>Q<n>.<node>,S=<size>,W=<vsize>:2,<letters>``; all before ``:2,`` is
the base name and never changes. Folder: ``.Parent.Child``, each level in modified UTF-7, with a
dot inside a level written ``&AC4-``; INBOX is the account's own folder (disk name ``b""``).
Promises: what ``folder_to_disk`` gives never leads out of the account: no slash, no ``..``, no
control character, at most 240 bytes.
Fails: ``BadFolderName``.
RFC: 3501 5.1.3 (modified UTF-7), 9051 5.1 (names); https://cr.yp.to/proto/maildir.html
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re

from mailnode.model.errors import BadFolderName
from mailnode.model.flags import MAILDIR_LETTERS

INFO = b":2,"
INBOX = "INBOX"
FORWARDED = "$forwarded"
_MAX_DISK_BYTES = 240
MAX_LEVELS = 32
_SIZE = re.compile(rb",S=(\d{1,18})(?=[,:]|$)")
_VSIZE = re.compile(rb",W=(\d{1,18})(?=[,:]|$)")
_TIME = re.compile(rb"(\d{1,12})(?:\.M(\d{1,6}))?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_SHIFTED = re.compile("&([A-Za-z0-9+,]*)-")
_BITS = {letter.encode()[0]: int(flag) for letter, flag in MAILDIR_LETTERS.items()}
_LETTERS = {
    bits: b"".join(
        bytes([letter]) for letter, bit in sorted(_BITS.items()) if bits & bit
    )
    for bits in range(32)
}  # fmt: skip
_serial = itertools.count(1)


def unique_name(now: float, node: str) -> bytes:
    """A base name (without sizes) that no one else makes: time, microseconds, process, serial."""
    seconds, usec = divmod(int(now * 1_000_000), 1_000_000)
    return b"%d.M%06dP%dQ%d.%s" % (seconds, usec, os.getpid(), next(_serial), node.encode())


def with_sizes(unique: bytes, size: int, vsize: int) -> bytes:
    """The base name with Dovecot's size fields (bytes on disk, bytes with CRLF line ends)."""
    return b"%s,S=%d,W=%d" % (unique, size, vsize)


def split_name(name: bytes) -> tuple[bytes, bytes]:
    """A file name as base name and info letters."""
    base, _, letters = name.partition(INFO)
    return base, letters


def size_in(base: bytes) -> int | None:
    """The size the name tells, if it does."""
    found = _SIZE.search(base)
    return int(found[1]) if found else None


def vsize_in(base: bytes) -> int | None:
    """The size with CRLF line ends that the name tells, if it does."""
    found = _VSIZE.search(base)
    return int(found[1]) if found else None


def arrival_order(base: bytes) -> tuple[int, int, bytes]:
    """Sort key: delivery time as the name tells it, then the name."""
    found = _TIME.match(base)
    return (int(found[1]), int(found[2] or 0), base) if found else (0, 0, base)


def email_id(base: bytes) -> bytes:
    """16 bytes that stay with a message through renames, copies and moves (RFC 8474)."""
    return hashlib.blake2b(base.partition(b",")[0], digest_size=16).digest()


def keyword_letter(index: int, keyword: str) -> bytes:
    """The letter for a keyword in file names; empty where only the journal can keep it.

    $Forwarded has its letter like the rest, as Dovecot gives it one; other programs' ``P`` (passed
    on) is understood too.
    """
    if index < 26 and keyword:
        return bytes([97 + index])
    return b"P" if keyword.lower() == FORWARDED else b""


def letters_for(flags: int, keyword_bits: int, keywords: tuple[str, ...]) -> bytes:
    """Info letters in ASCII order, as every Maildir program writes them."""
    letters = _LETTERS[flags & 31]
    if not keyword_bits:
        return letters
    more = (keyword_letter(i, name) for i, name in enumerate(keywords) if keyword_bits >> i & 1)
    return b"".join(sorted(bytes([byte]) for byte in letters + b"".join(more)))


def flags_in(letters: bytes) -> int:
    """System flags of info letters; unknown letters count for nothing."""
    bits = 0
    for letter in letters:
        bits |= _BITS.get(letter, 0)
    return bits


def keyword_bits_in(letters: bytes, keywords: tuple[str, ...]) -> int:
    """Keyword bits of info letters, for those keywords that have a letter."""
    bits = 0
    for index, keyword in enumerate(keywords):
        letter = keyword_letter(index, keyword)
        passed = keyword.lower() == FORWARDED and b"P" in letters
        if passed or (letter and letter in letters):
            bits |= 1 << index
    return bits


def lettered_bits(keywords: tuple[str, ...]) -> int:
    """The bits that file names can tell."""
    return sum(1 << i for i, name in enumerate(keywords) if keyword_letter(i, name))


def canonical(name: str) -> str:
    """INBOX in capitals, also as the first level (RFC 9051 5.1); no slash at the end."""
    head, slash, rest = name.rstrip("/").partition("/")
    return (INBOX if head.upper() == INBOX else head) + slash + rest


def folder_to_disk(name: str) -> bytes:
    """The folder's name on disk; ``b""`` for INBOX. Raises ``BadFolderName``."""
    name = canonical(name)
    if name == INBOX:
        return b""
    levels = name.split("/")
    if len(levels) > MAX_LEVELS:
        raise BadFolderName("too many levels")
    disk = b"".join(b"." + _level_to_disk(level) for level in levels)
    if len(disk) > _MAX_DISK_BYTES:
        raise BadFolderName("name too long")
    return disk


def _level_to_disk(level: str) -> bytes:
    if not level or not level.strip("."):
        raise BadFolderName("empty or dots-only level")
    if _CONTROL.search(level) or level != level.strip():
        raise BadFolderName("control character or outer space")
    return encode_utf7(level).replace(".", "&AC4-").encode("ascii")


def check_new(name: str) -> str:
    """The canonical form of a name that a client wants made; wildcards make it unusable."""
    if "*" in name or "%" in name:
        raise BadFolderName("wildcard in name")
    folder_to_disk(name)
    return canonical(name)


def disk_to_folder(disk: bytes) -> str | None:
    """The folder name of a directory entry ``.A.B``; None where it is no folder of ours."""
    text = disk.decode("ascii", "surrogateescape")
    if not text.startswith(".") or text in (".", ".."):
        return None
    levels = text[1:].split(".")
    if not all(levels) or any(_CONTROL.search(level) for level in levels):
        return None
    decoded = [decode_utf7(level) for level in levels]
    if any("/" in level or "\udc80" <= max(level) <= "\udcff" for level in decoded):
        return None
    name = canonical("/".join(decoded))
    return None if name == INBOX else name


def encode_utf7(text: str) -> str:
    """Modified UTF-7. Raises ``BadFolderName`` for text that is not Unicode."""
    parts: list[str] = []
    for ascii_only, group in itertools.groupby(text, lambda char: " " <= char <= "~"):
        run = "".join(group)
        parts.append(run.replace("&", "&-") if ascii_only else _shifted(run))
    return "".join(parts)


def _shifted(run: str) -> str:
    try:
        raw = run.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise BadFolderName("not Unicode text") from error
    return "&" + base64.b64encode(raw, b"+,").decode().rstrip("=") + "-"


def decode_utf7(text: str) -> str:
    """The text of modified UTF-7; what is not valid stays as it is."""
    return _SHIFTED.sub(_unshifted, text)


def _unshifted(found: re.Match[str]) -> str:
    coded = found[1]
    if not coded:
        return "&"
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), b"+,", validate=True)
        text = raw.decode("utf-16-be")
    except ValueError:
        return found[0]
    return found[0] if _CONTROL.search(text) else text
