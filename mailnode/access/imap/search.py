"""SEARCH: which messages of a picture a tree of keys names.

Promises: works on rows of the picture, cheapest keys first: the picture itself (flags, UIDs,
numbers, modseqs) needs no disk, then the view's facts (sizes, dates), then header summaries, and
files are read only for rows that nothing else decided. Runs in steps of bounded work, so that
the caller may stop it, bound its time and let others run. A message that vanishes meanwhile does
not contain what is looked for.
Fails: ``StorageGone``; ``TooDeep`` for keys nested beyond ``MAX_DEPTH``.
RFC: 3501 6.4.4, 9051 6.4.4.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice

from mailnode.access.imap import lines
from mailnode.access.imap.field_texts import FieldTexts
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.search_match import (
    Rows,
    Scene,
    header_judge,
    matches_facts,
    matches_text,
    rows_by_picture,
    searchable_texts,
    wants_facts,
    wants_headers,
)
from mailnode.model.errors import NoSuchMessage, PermanentError
from mailnode.runtime.tasks import MustWait, is_brisk, may_wait
from mailnode.store import Folder, Picture
from mailnode.wire.imap.ast import AndKey, HeaderKey, NotKey, OrKey, SearchKey, TextKey
from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.decode import DEFAULT_LIMIT
from mailnode.wire.mime.lines import lines_in_doubt, lines_with, needle_for

# Nesting of NOT, OR and parentheses; far beyond what people or clients build.
MAX_DEPTH = 100
FACTS_AT_ONCE = 500
HEADERS_AT_ONCE = 50
TEXTS_AT_ONCE = 20
# What is looked at on the event loop: at most so much of one message or of some headers, and no
# further step after so many seconds.
BRISK_BYTES, BRISK_S = 65536, 0.02

Steps = Generator[None, None, Rows]


class TooDeep(PermanentError):
    """The search keys are nested too deeply."""

    public = "search keys are nested too deeply"


class Searcher:
    """One SEARCH on one folder. Blocking; one thread at a time.

    ``is_recent`` and ``saved`` (UIDs of ``$``) belong to the session, ``now`` is the time in
    seconds since 1970; ``limit_bytes`` bounds what is decoded of one message; with ``rows``
    (ascending) only those are looked at. Raises ``TooDeep``.
    """

    def __init__(
        self,
        folder: Folder,
        key: SearchKey,
        picture: Picture,
        *,
        is_recent: Callable[[int], bool],
        saved: Sequence[int],
        now: float,
        cache: MessageCache,
        limit_bytes: int = DEFAULT_LIMIT,
        rows: Rows | None = None,
    ) -> None:
        check_depth(key)
        self._folder = folder
        self._picture = picture
        self._scene = Scene(picture, is_recent, saved, now)
        self._cache = cache
        self._limit = limit_bytes
        self.rows: Rows = ()
        self.scores: dict[int, int] = {}  # by UID, of fuzzy keys (RFC 6203)
        among = range(len(picture.uids)) if rows is None else rows
        self._work = key, among
        self._steps = self._run(*self._work)

    def advance(self, steps: int = 20) -> bool:
        """Work on; ``True`` once ``rows`` (ascending, 0-based) is the answer. Raises
        ``StorageGone``. A step is one file, some 50 headers, or one pass over the picture."""
        began = time.monotonic()
        try:
            for _ in islice(self._steps, steps):
                steps -= 1
                if is_brisk() and time.monotonic() - began > BRISK_S:
                    return False
            return steps > 0
        except MustWait:
            self._steps = self._run(*self._work)  # from the start again, in a thread
            raise

    @property
    def uids(self) -> list[int]:
        """The answer as UIDs."""
        return [self._picture.uids[row] for row in self.rows]

    @property
    def numbers(self) -> list[int]:
        """The answer as message numbers."""
        return [row + 1 for row in self.rows]

    @property
    def highest_modseq(self) -> int:
        """The highest modseq in the answer (RFC 7162 3.1.5), 0 if it is empty."""
        return max((self._picture.modseqs[row] for row in self.rows), default=0)

    def _run(self, key: SearchKey, among: Rows) -> Iterator[None]:
        self.rows = yield from self._filter(key, among)

    # -------------------------------------------------------------- keys of keys

    def _filter(self, key: SearchKey, rows: Rows) -> Steps:
        """Those of ``rows`` that match, ascending."""
        if not rows:
            return rows
        if isinstance(key, AndKey):
            for part in sorted(key.keys, key=cost):
                rows = yield from self._filter(part, rows)
            return rows
        if isinstance(key, OrKey):
            return (yield from self._either(key, rows))
        if isinstance(key, NotKey):
            return _without(rows, (yield from self._filter(key.key, rows)))
        return (yield from self._filter_plain(key, rows))

    def _either(self, key: OrKey, rows: Rows) -> Steps:
        first, second = sorted((key.left, key.right), key=cost)
        found = yield from self._filter(first, rows)
        more = yield from self._filter(second, _without(rows, found))
        return sorted([*found, *more])

    # -------------------------------------------------------------- plain keys

    def _filter_plain(self, key: SearchKey, rows: Rows) -> Steps:
        found = rows_by_picture(key, rows, self._scene)
        if found is not None:
            yield
            return found
        if isinstance(key, TextKey):
            return (yield from self._by_text(key, rows))
        if isinstance(key, HeaderKey) and (needle := self._needle(key, rows)):
            return (yield from self._by_lines(key, rows, needle))
        # A few headers are looked at as fast as the index.
        few = len(rows) <= HEADERS_AT_ONCE
        if isinstance(key, HeaderKey) and not few:
            rows = self._possible_rows(key, rows)
        if isinstance(key, HeaderKey) and few and not key.fuzzy:
            by = self._field_finder(key)
        else:
            by = self._facts_finder(key) if wants_facts(key) else self._header_finder(key)
        size = FACTS_AT_ONCE if wants_facts(key) else HEADERS_AT_ONCE
        matching: list[int] = []
        for at in range(0, len(rows), size):
            chunk = rows[at : at + size]
            uids = by([self._picture.uids[row] for row in chunk])
            matching += [row for row in chunk if self._picture.uids[row] in uids]
            yield
        return matching

    def _needle(self, key: HeaderKey, rows: Rows) -> bytes | None:
        """What the lines of the key's field are searched for, where that is the quick way."""
        if key.fuzzy or not lines.field_kind(key.name.lower()):
            return None
        worth_it = lines.are_worth_it(self._picture.uids, rows)
        return needle_for(casemap(key.value)) if worth_it else None

    def _by_lines(self, key: HeaderKey, rows: Rows, needle: bytes) -> Steps:
        name, matching = key.name.lower(), list[int]()
        kind, make = lines.field_kind(name), lines.field_lines(self._folder, name)
        in_header = self._header_finder(key)
        for pieces in lines.in_pieces(self._picture.uids, rows):
            for piece in (yield from lines.filled(self._folder, kind, pieces, make)):
                sure = piece.picked(lines_with(piece.block.lines, needle))
                doubtful = piece.picked(lines_in_doubt(piece.block.lines))
                if doubtful:
                    uids = in_header([self._picture.uids[row] for row in doubtful])
                    sure = sorted([*sure, *(r for r in doubtful if self._picture.uids[r] in uids)])
                matching += sure
            yield
        return matching

    def _facts_finder(self, key: SearchKey) -> Callable[[list[int]], set[int]]:
        now = self._scene.now
        return lambda uids: {
            info.uid for info in self._folder.infos(uids) if matches_facts(key, info, now)
        }

    def _header_finder(self, key: SearchKey) -> Callable[[list[int]], set[int]]:
        assert wants_headers(key)
        judge = header_judge(key)
        fuzzy = isinstance(key, HeaderKey) and key.fuzzy

        def find(uids: list[int]) -> set[int]:
            blocks = self._blocks(uids)
            found = {uid: score for uid, block in blocks.items() if (score := judge(block))}
            if fuzzy:
                self._note_scores(found)
            return set(found)

        return find

    def _field_finder(self, key: HeaderKey) -> Callable[[list[int]], set[int]]:
        texts = FieldTexts(self._folder, self._picture, key.name, self._cache.rows, self._blocks)
        return lambda uids: texts.containing(uids, casemap(key.value))

    def _blocks(self, uids: list[int]) -> dict[int, bytes]:
        blocks = self._folder.summaries(uids, "headers")
        if sum(map(len, blocks.values())) > BRISK_BYTES:
            may_wait()
        return blocks

    def _note_scores(self, found: dict[int, int]) -> None:
        for uid, score in found.items():
            self.scores[uid] = max(score, self.scores.get(uid, 0))

    def _by_text(self, key: TextKey, rows: Rows) -> Steps:
        uids = self._picture.uids
        possible = self._possible(key, [uids[row] for row in rows])
        matching: list[int] = []
        fresh: dict[int, str] = {}
        for row in rows:
            if uids[row] not in possible:
                continue
            texts = self._texts(uids[row])
            if texts is not None and (score := matches_text(key, texts)):
                matching.append(row)
                if key.fuzzy:
                    self._note_scores({uids[row]: score})
            if texts is not None and not possible[uids[row]] and self._limit == DEFAULT_LIMIT:
                fresh[uids[row]] = "\n".join(texts)
            if len(fresh) >= TEXTS_AT_ONCE:
                self._folder.keep_texts(fresh)
                fresh = {}
            yield
        self._folder.keep_texts(fresh)
        return matching

    def _possible_rows(self, key: HeaderKey, rows: Rows) -> Rows:
        """Those whose header may have it: all header text is in the full-text index, too."""
        possible = self._possible(key, [self._picture.uids[row] for row in rows])
        return [row for row in rows if self._picture.uids[row] in possible]

    def _possible(self, key: TextKey | HeaderKey, uids: list[int]) -> dict[int, bool]:
        """Those the full-text index does not rule out, and whether they are in it."""
        needle = casemap(key.value)
        words = needle.split() if key.fuzzy else [needle]
        possible = self._folder.may_contain(uids, words[0] if words else "")
        for word in words[1:]:
            possible = self._folder.may_contain(possible, word)
        return possible

    def _texts(self, uid: int) -> list[str] | None:
        try:
            message = self._cache.load(self._folder, self._picture.uidvalidity, uid)
        except NoSuchMessage:
            return None
        if len(message.data) > BRISK_BYTES:
            may_wait()  # it may be at hand, but takes its time
        return searchable_texts(message.data, message.root, self._limit)


def check_depth(key: SearchKey) -> None:
    """Raise ``TooDeep`` for a tree that would need too deep a recursion."""
    pending: list[tuple[SearchKey, int]] = [(key, 1)]
    while pending:
        at, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise TooDeep
        pending += ((below, depth + 1) for below in _below(at))


def _below(key: SearchKey) -> tuple[SearchKey, ...]:
    if isinstance(key, AndKey):
        return key.keys
    if isinstance(key, OrKey):
        return key.left, key.right
    return (key.key,) if isinstance(key, NotKey) else ()


def cost(key: SearchKey) -> int:
    """How dear the dearest plain key in a tree is: 0 picture, 1 facts, 2 headers, 3 files."""
    dearest, pending = 0, [key]
    while pending:
        at = pending.pop()
        pending += _below(at)
        own = 3 if isinstance(at, TextKey) else 2 if wants_headers(at) else int(wants_facts(at))
        dearest = max(dearest, own)
    return dearest


def _without(rows: Rows, taken: Rows) -> Rows:
    gone = set(taken)
    return [row for row in rows if row not in gone]
