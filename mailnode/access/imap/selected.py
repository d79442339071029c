"""The folder a session has selected, and what its client has been told of it.

Promises: the client's message numbers always follow from ``picture``; ``picture`` moves only
when the difference has been written out (``lines``).
RFC: 3501 2.3.1.2, 7.2-7.4; 2177; 2180; 7162 3.1, 3.2.10.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice

from mailnode.access.imap.context import Context
from mailnode.access.imap.enabled import Enabled
from mailnode.access.imap.lately import Lately
from mailnode.model.flags import ALL_FLAGS, NO_FLAGS
from mailnode.store import Allowed, Folder, Picture, PictureDiff
from mailnode.store.guarded import allowed_by
from mailnode.wire.imap.format import flags as format_flags
from mailnode.wire.imap.format import list_line, mailbox, range_set
from mailnode.wire.imap.sets import runs

# Untagged lines are handed to the connection in pieces of about this many.
LINES_AT_ONCE = 500
# Ranges in one VANISHED line; some clients have buffers of a few KiB for a line.
RANGES_AT_ONCE = 200
NOTHING = Allowed(NO_FLAGS, False)
# RFC 4467 8: how URLs of this mailbox can be authorized.
URLMECH = b"* OK [URLMECH INTERNAL] URLs can be authorized\r\n"


@dataclass(frozen=True, slots=True)
class News:
    """A newer picture and the way to it."""

    picture: Picture
    diff: PictureDiff


class Selected:
    """One SELECT or EXAMINE, until it is closed."""

    __slots__ = (
        "_lately",
        "_silence",
        "contexts",
        "enabled",
        "folder",
        "heard",
        "heard_key",
        "keys",
        "keywords",
        "made",
        "must_look",
        "name",
        "own",
        "picture",
        "read_only",
        "recent",
        "rights",
        "saved",
    )

    def __init__(
        self, folder: Folder, picture: Picture, recent: range, read_only: bool, enabled: Enabled
    ) -> None:
        self.folder = folder
        self.enabled = enabled
        self.picture = picture
        self.read_only = read_only
        self.rights = folder.rights  # as the client has been told of them
        self.keywords = picture.keywords  # those the client has been told of
        self.recent: list[range] = [recent] if recent else []
        self.heard = 0  # the highest modseq that hints told of since the last look
        self.must_look = False  # news are held back, or a change came without its modseq
        # Frozen, for an empty one takes no memory.
        self.made: frozenset[int] = (
            frozenset()
        )  # UIDs of messages that a watched session has made itself
        self.own: frozenset[int] = frozenset()  # modseqs of our own STOREs, not to be told again
        self.saved: tuple[int, ...] = ()
        self.contexts: dict[str, Context] = {}  # by tag: results to be kept up to date
        self.name = folder.name  # the one the client knows; the folder may have got another
        self.keys = b""  # ``url_keys.mark`` of the keys that were there when the client was told
        self.heard_key = ""
        self._silence: Callable[[], None] | None = None
        self._lately: Lately | None = None

    def listen(self, key: str, subscribe: Callable[[], Callable[[], None]]) -> None:
        """Begin to hear hints for ``key``; ``subscribe`` returns the call that ends it."""
        self.heard_key, self._silence = key, subscribe()

    def silence(self) -> None:
        """Hear no more hints."""
        if self._silence is not None:
            self._silence()
            self._silence = None

    def look(self) -> News | None:
        """Blocking: the folder's news since ``picture``; claims what is recent.

        Raises ``NoSuchFolder``, ``StorageGone``.
        """
        # First of all: a hint that comes during the look must not be lost.
        self.heard, self.must_look = 0, False
        new = self.folder.refresh()
        if new is self.picture:
            return None
        diff = self.folder.diff(self.picture, new)
        if diff.added:
            # RFC 3501 2.3.2: a read-only session does not take "recent" from others.
            fresh = self.folder.peek_recent() if self.read_only else self.folder.claim_recent()
            self._add_recent(fresh)
        return News(new, diff)

    def _add_recent(self, fresh: range) -> None:
        last = self.recent[-1] if self.recent else range(0)
        if last and last.stop == fresh.start:
            self.recent[-1] = range(last.start, fresh.stop)
        elif fresh and fresh not in self.recent:
            self.recent.append(fresh)

    @property
    def dirty(self) -> bool:
        """True when a look at the folder may bring news."""
        return self.must_look or self.heard > self.picture.highestmodseq

    def overlaid(self) -> Picture:
        """Blocking: the client's message numbers with the newest flags and modseqs."""
        newest = self.folder.picture()
        if newest is self.picture:
            return newest
        self.lately.changed(newest, self.folder.diff(self.picture, newest).flagged)
        return overlay(self.picture, newest, self._lately)

    @property
    def lately(self) -> Lately:
        """What the client hears beyond ``picture``, until that moves on."""
        if self._lately is None:
            self._lately = Lately()
        return self._lately

    @property
    def heard_of(self) -> Set[int]:
        """UIDs of which the client may have heard flags that ``picture`` has not."""
        return frozenset() if self._lately is None else self._lately.heard_of()

    def is_recent(self, uid: int) -> bool:
        """Was this session the first to be told of the message? RFC 9051 A: not for IMAP4rev2."""
        return any(uid in found for found in self.recents)

    @property
    def recents(self) -> Sequence[range]:
        """The UIDs of all messages that ``is_recent`` says this of."""
        return () if self.enabled.rev2 else self.recent

    def recent_count(self, picture: Picture) -> int:
        """The number behind RECENT."""
        total = 0
        for found in self.recent:
            total += bisect_left(picture.uids, found.stop) - bisect_left(picture.uids, found.start)
        return total

    def row(self, uid: int) -> int | None:
        """The 0-based position of a UID in the client's view."""
        at = bisect_left(self.picture.uids, uid)
        return at if at < len(self.picture.uids) and self.picture.uids[at] == uid else None

    def tell(self, news: News, *, flags: bool = True) -> Iterator[bytes]:
        """Move to ``news.picture`` in pieces of untagged responses; run it to its end. Without
        ``flags`` changes of flags go untold."""
        old, new, diff = self.picture, news.picture, news.diff
        # RFC 7162 3.2.10: after ENABLE QRESYNC, VANISHED stands for every EXPUNGE.
        by_uid = self.enabled.qresync or self.enabled.uidonly
        gone = vanished_lines(runs(diff.expunged)) if by_uid else _expunges(old, diff)
        yield from _joined(gone)
        yield self.new_keywords(new) + self._figures(new, diff)
        told = self.own
        self.picture, self.own, self._lately = new, frozenset(), None
        for pieces in _sliced(diff.flagged if flags else ()):
            lines = (self.flags_line(uid, told) for uid in pieces)
            yield b"".join(lines)

    def new_keywords(self, picture: Picture) -> bytes:
        """FLAGS and PERMANENTFLAGS if the client does not know all keywords of ``picture`` yet.

        RFC 3501 7.2.6: to be sent before any FETCH that has such a keyword.
        """
        if picture.keywords == self.keywords:
            return b""
        self.keywords = picture.keywords
        return b"".join(keyword_lines(picture, self.lasting))

    @property
    def lasting(self) -> Allowed:
        """The flags that this client may change for good (RFC 4314 4)."""
        return NOTHING if self.read_only else allowed_by(self.folder.rights)

    @property
    def writable(self) -> bool:
        """RFC 4314 5.2: is it READ-WRITE? Flags that nobody else sees do not count."""
        common = "iewt" if self.folder.private_seen else "iewts"
        return not self.read_only and not set(common).isdisjoint(self.folder.rights)

    def new_rights(self) -> bytes:
        """What the client must hear when its rights are others than it knows."""
        if self.rights == self.folder.rights:
            return b""
        self.rights = self.folder.rights
        code = b"READ-WRITE" if self.writable else b"READ-ONLY"
        lines = keyword_lines(self.picture, self.lasting)
        return b"* OK [%b] your rights have changed\r\n" % code + b"".join(lines)

    def _figures(self, new: Picture, diff: PictureDiff) -> bytes:
        lines = []
        if diff.added:
            lines.append(b"* %d EXISTS\r\n" % len(new.uids))
        if (diff.added or (diff.expunged and self.recent)) and not self.enabled.rev2:
            lines.append(b"* %d RECENT\r\n" % self.recent_count(new))
        return b"".join(lines)

    def flags_line(self, uid: int, told: frozenset[int] = frozenset()) -> bytes:
        """An untagged FETCH with the flags of a message, empty if ``told`` has its modseq."""
        at = self.row(uid)
        if at is None or (told and self.picture.modseqs[at] in told):
            return b""
        condstore, recent = self.enabled.condstore, self.is_recent(uid)
        number = 0 if self.enabled.uidonly else at + 1
        return format_flags_fetch(self.picture, at, number, condstore, recent)


def format_flags_fetch(
    picture: Picture, at: int, number: int, condstore: bool, recent: bool
) -> bytes:
    """``* n FETCH (UID … FLAGS …)`` from row ``at`` of a picture; with ``number`` 0 UIDFETCH."""
    words = picture_keywords(picture, at)
    flags = format_flags(picture.flags[at], words, recent=recent)
    # RFC 7162 3.1: once CONDSTORE is on, MODSEQ goes with every FLAGS.
    modseq = b" MODSEQ (%d)" % picture.modseqs[at] if condstore else b""
    return b"%bFLAGS %b%b)\r\n" % (fetch_head(number, picture.uids[at]), flags, modseq)


def fetch_head(number: int, uid: int) -> bytes:
    """``* n FETCH (UID … ``; RFC 9586 3.3: without a number, ``* uid UIDFETCH (``."""
    return b"* %d FETCH (UID %d " % (number, uid) if number else b"* %d UIDFETCH (" % uid


def picture_keywords(picture: Picture, at: int) -> list[str]:
    """The keywords of row ``at``."""
    bits = picture.keyword_bits[at]
    if not bits:
        return []
    return [word for spot, word in enumerate(picture.keywords) if bits >> spot & 1]


def overlay(old: Picture, new: Picture, lately: Lately | None = None) -> Picture:
    """The messages of ``old`` with the flags and modseqs of ``new`` where it has them, and else
    those that were told ``lately``.

    For the time in which a client may not hear yet that messages are gone.
    """
    flags, modseqs = list(old.flags), list(old.modseqs)
    words = list(old.keyword_bits)
    other, end = 0, len(new.uids)
    gone: list[int] = []
    for at, uid in enumerate(old.uids):
        while other < end and new.uids[other] < uid:
            other += 1
        if other < end and new.uids[other] == uid:
            flags[at], modseqs[at] = new.flags[other], new.modseqs[other]
            words[at] = new.keyword_bits[other]
        else:
            gone.append(at)
    if lately is not None and gone:
        for at, told in lately.of(gone, old):
            flags[at], modseqs[at], words[at] = told
    return replace(old, flags=flags, modseqs=modseqs, keyword_bits=words, keywords=new.keywords)


def keyword_lines(picture: Picture, may: Allowed) -> list[bytes]:
    """FLAGS and PERMANENTFLAGS (RFC 3501 7.2.6, 7.1), the latter of those that may be changed."""
    every = format_flags(ALL_FLAGS, picture.keywords)
    lasting = format_flags(may.flags, picture.keywords if may.keywords else ())
    if may.keywords:
        lasting = lasting[:-1] + b" \\*)"
    text = b"keywords may be made" if may.keywords else b"others stay as they are"
    return [b"* FLAGS %b\r\n" % every, b"* OK [PERMANENTFLAGS %b] %b\r\n" % (lasting, text)]


def renamed_line(name: str, asked: str) -> bytes:
    """An untagged LIST for an IMAP4rev2 client, with OLDNAME where it knows another name."""
    old = old_name(asked if asked != name else "")
    return list_line((), name, utf8=True, extended=old) + b"\r\n"


def old_name(asked: str) -> bytes:
    """RFC 9051 6.3.9.7: the extended item for a name that the client used, empty for none."""
    return b'("OLDNAME" (%b))' % mailbox(asked, utf8=True) if asked else b""


def vanished_lines(spans: Iterable[tuple[int, int]], *, earlier: bool = False) -> Iterator[bytes]:
    """VANISHED, some hundred ranges a line (RFC 7162 3.2.10); ``earlier``: before this session
    looked."""
    mark = b"(EARLIER) " if earlier else b""
    pending = iter(spans)
    while some := list(islice(pending, RANGES_AT_ONCE)):
        yield b"* VANISHED %b%b\r\n" % (mark, range_set(some))


def _expunges(old: Picture, diff: PictureDiff) -> Iterator[bytes]:
    # From the highest down, so that no number moves the ones still to come.
    for uid in reversed(diff.expunged):
        yield b"* %d EXPUNGE\r\n" % (bisect_left(old.uids, uid) + 1)


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    piece: list[bytes] = []
    for line in lines:
        piece.append(line)
        if len(piece) >= LINES_AT_ONCE:
            yield b"".join(piece)
            piece.clear()
    yield b"".join(piece)


def _sliced(uids: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return (uids[at : at + LINES_AT_ONCE] for at in range(0, len(uids), LINES_AT_ONCE))
