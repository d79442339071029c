"""A search or sort that the client wants kept up to date: what joins and leaves its result.

Promises: the client's list, changed as ``REMOVEFROM`` and ``ADDTO`` say, is at each time what the
search would find; only messages that changed are looked at again, and those that a message number
or ``*`` in the search names since others came or went. Time alone moves nothing (OLDER, YOUNGER are
judged when a message changes).
Fails: ``StorageGone``.
RFC: 5267 4 (CONTEXT=SEARCH, CONTEXT=SORT).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.sort import sort_rows
from mailnode.store import Picture
from mailnode.wire.imap.ast import AndKey, Criterion, NotKey, OrKey, SearchKey, SeqKey, UidKey
from mailnode.wire.imap.format import esearch_line, number_set, ordered_set
from mailnode.wire.imap.sets import STAR, SequenceSet

if TYPE_CHECKING:
    from mailnode.access.imap.selected import Selected

# Each costs four bytes a message found, and work at each change.
MAX_CONTEXTS = 8


class Change(NamedTuple):
    """``lines`` to be told, and the UIDs that joined the result."""

    lines: bytes
    joined: frozenset[int] = frozenset()


Steps = Generator[None, None, Change]


@dataclass(slots=True)
class Context:
    """One result that is kept up. ``uids``: what the client has been told, in its order;
    ``criteria``: of a sorted one; ``on_added`` tells of new messages that joined it, where the
    client wants that (RFC 5465 7)."""

    tag: str
    by_uid: bool
    key: SearchKey
    criteria: tuple[Criterion, ...]
    uids: list[int]
    on_added: Callable[[list[int]], Awaitable[None]] | None = None
    before: Picture | None = None  # what the numbers in the key named until now

    def expunged(self, picture: Picture, gone: Sequence[int]) -> bytes:
        """The line that takes expunged messages out, by their old numbers (those of ``picture``);
        to be sent before EXPUNGE or VANISHED, and called before ``changed`` in any case."""
        self.before = picture
        return self._without(set(gone), _namer(picture, self.by_uid)) if gone else b""

    def changed(
        self, selected: Selected, changed: Iterable[int], now: float, cache: MessageCache
    ) -> Steps:
        """Steps; at their end the lines for messages that came or got other flags."""
        picture = selected.picture
        before, self.before = self.before or picture, None
        again = _renamed(self.key, before, picture).union(changed)
        rows = [row for uid in sorted(again) if (row := selected.row(uid)) is not None]
        searcher = Searcher(
            selected.folder,
            self.key,
            picture,
            is_recent=selected.is_recent,
            saved=selected.saved,
            now=now,
            cache=cache,
            rows=rows,
        )
        while not searcher.advance():
            yield
        matching = {picture.uids[row] for row in searcher.rows}
        known = set(self.uids)
        number = _namer(picture, self.by_uid)
        left = {picture.uids[row] for row in rows} & known - matching
        lines = self._without(left, number) if left else b""
        fresh = matching - known
        if not fresh:
            return Change(lines)
        if not self.criteria:
            self.uids = sorted([*self.uids, *fresh])
            numbers = number_set(sorted(map(number, fresh)))
            return Change(lines + self._line("ADDTO", b"0 " + numbers), frozenset(fresh))
        there = (selected.row(uid) for uid in sorted([*self.uids, *fresh]))
        all_rows = [row for row in there if row is not None]
        ordered = yield from sort_rows(selected.folder, picture, all_rows, self.criteria)
        self.uids = [picture.uids[row] for row in ordered]
        places = b" ".join(_places(self.uids, fresh, number))
        return Change(lines + self._line("ADDTO", places), frozenset(fresh))

    def _without(self, left: set[int], number: Callable[[int], int]) -> bytes:
        """Take these out, the last first so that no place moves before it is named."""
        places = [(at, uid) for at, uid in enumerate(self.uids, 1) if uid in left]
        if not places:
            return b""
        self.uids = [uid for uid in self.uids if uid not in left]
        if not self.criteria:
            numbers = number_set(sorted(number(uid) for _, uid in places))
            return self._line("REMOVEFROM", b"0 " + numbers)
        pairs = (b"%d %d" % (at, number(uid)) for at, uid in reversed(places))
        return self._line("REMOVEFROM", b" ".join(pairs))

    def _line(self, what: str, body: bytes) -> bytes:
        return esearch_line(self.tag, self.by_uid, [(what, b"(%b)" % body)]) + b"\r\n"


def by_content_alone(key: SearchKey) -> bool:
    """Whether what a search finds does not hang on message numbers, nor on ``$``."""
    return not any(
        isinstance(at, SeqKey) or (isinstance(at, UidKey) and at.uids.saved) for at in _plain(key)
    )


def can_be_kept_up(key: SearchKey) -> bool:
    """All but searches in ``$``, which may name others at any command (RFC 5182 2.1)."""
    return not any(_set_of(at).saved for at in _plain(key) if isinstance(at, SeqKey | UidKey))


def _plain(key: SearchKey) -> Iterator[SearchKey]:
    """The keys at the ends of a tree."""
    pending = [key]
    while pending:
        at = pending.pop()
        if isinstance(at, AndKey):
            pending += at.keys
        elif isinstance(at, OrKey):
            pending += (at.left, at.right)
        elif isinstance(at, NotKey):
            pending.append(at.key)
        else:
            yield at


def _set_of(key: SeqKey | UidKey) -> SequenceSet:
    return key.uids if isinstance(key, UidKey) else key.messages


def _renamed(key: SearchKey, before: Picture, now: Picture) -> set[int]:
    """The UIDs that a message number, or ``*``, in the key names in one of the pictures only."""
    found = set[int]()
    if before.uids == now.uids:
        return found
    for at in _plain(key):
        if isinstance(at, SeqKey) or (isinstance(at, UidKey) and _has_star(at.uids)):
            found |= _named(at, before) ^ _named(at, now)
    return found


def _has_star(numbers: SequenceSet) -> bool:
    return any(STAR in pair for pair in numbers.ranges)


def _named(key: SeqKey | UidKey, picture: Picture) -> set[int]:
    spans = _set_of(key).rows(picture.uids, isinstance(key, UidKey))
    return {uid for span in spans for uid in picture.uids[span.start : span.stop]}


def _places(uids: list[int], fresh: set[int], number: Callable[[int], int]) -> Iterator[bytes]:
    """Each run of new messages behind the place of its first (from 1), from the front on."""
    at = 0
    while at < len(uids):
        if uids[at] not in fresh:
            at += 1
            continue
        run = [number(uids[at])]
        while at + len(run) < len(uids) and uids[at + len(run)] in fresh:
            following = number(uids[at + len(run)])
            if following != run[-1] + 1:
                break
            run.append(following)
        yield b"%d %b" % (at + 1, ordered_set(run))
        at += len(run)


def _namer(picture: Picture, by_uid: bool) -> Callable[[int], int]:
    if by_uid:
        return lambda uid: uid
    numbers: dict[int, int] = {}

    def number(uid: int) -> int:
        if not numbers:
            numbers.update((one, at) for at, one in enumerate(picture.uids, 1))
        return numbers.get(uid, 0)

    return number
