"""The answer to SEARCH and SORT with RETURN options, and what SAVE keeps of it.

RFC: 4731 3.1; 5182 2.1, 2.4; 5267 3 (ESORT); 7162 3.1.5, 3.1.10; 9394 3.1 (PARTIAL).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailnode.store import Picture
from mailnode.wire.imap.ast import SearchReturn
from mailnode.wire.imap.format import esearch_line, ordered_set

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Results:
    """Rows of a picture in the order of the answer, and how the client wants them named."""

    picture: Picture
    rows: Sequence[int]
    by_uid: bool
    scores: Mapping[int, int] = field(default_factory=dict)  # by UID (RFC 6203)

    def number(self, row: int) -> int:
        """What the client calls the message."""
        return self.picture.uids[row] if self.by_uid else row + 1

    def numbers(self, rows: Sequence[int] | None = None) -> list[int]:
        """All of them, or these."""
        rows, uids = self.rows if rows is None else rows, self.picture.uids
        return [uids[row] for row in rows] if self.by_uid else [row + 1 for row in rows]

    def highest_modseq(self, rows: Sequence[int]) -> int:
        """The highest modseq among these rows, 0 for none (RFC 7162 3.1.5)."""
        return max((self.picture.modseqs[row] for row in rows), default=0)

    def chosen(self, returns: SearchReturn) -> Sequence[int]:
        """Whom SAVE keeps and whose modseq counts: all, unless only MIN, MAX or PARTIAL is asked
        for.

        RFC 5182 2.4, 7162 3.1.10, 9394 3.1.
        """
        asked = returns.options - {"SAVE", "CONTEXT", "UPDATE", "RELEVANCY"}
        partial = returns.partial
        if not self.rows or asked & {"ALL", "COUNT"} or not (asked or partial):
            return self.rows
        some = {self.rows[0]} if "MIN" in asked else set[int]()
        some |= {self.rows[-1]} if "MAX" in asked else set()
        return sorted(some.union(cut(self.rows, partial) if partial else ()))

    def saved(self, returns: SearchReturn) -> tuple[int, ...]:
        """The UIDs that ``$`` names from now on, ascending."""
        return tuple(self.picture.uids[row] for row in sorted(self.chosen(returns)))

    def line(self, tag: str, returns: SearchReturn, with_modseq: bool, where: bytes = b"") -> bytes:
        """The untagged ESEARCH with CRLF; empty where nothing is to be told. ``where``: the
        mailbox, for a search in several (RFC 7377)."""
        # RFC 5182 2.1: SAVE alone answers with nothing.
        if returns.options == {"SAVE"} and returns.partial is None:
            return b""
        modseq = self.highest_modseq(self.chosen(returns)) if with_modseq else 0
        return esearch_line(tag, self.by_uid, self._figures(returns, modseq), where) + b"\r\n"

    def _figures(self, returns: SearchReturn, modseq: int) -> Iterator[tuple[str, bytes]]:
        options, rows = returns.options, self.rows
        # RFC 4731 3.1: MIN, MAX and ALL are left out when nothing was found; COUNT is not.
        # RFC 5267 3.1: of a sorted result they are the first and the last in its order.
        if rows and "MIN" in options:
            yield "MIN", b"%d" % self.number(rows[0])
        if rows and "MAX" in options:
            yield "MAX", b"%d" % self.number(rows[-1])
        if "COUNT" in options:
            yield "COUNT", b"%d" % len(rows)
        if rows and "ALL" in options:
            yield "ALL", ordered_set(self.numbers())
        if returns.partial is not None:
            # RFC 9394 3.1: NIL where the range lies beyond what was found.
            some = ordered_set(self.numbers(cut(rows, returns.partial))) or b"NIL"
            yield "PARTIAL", b"(%d:%d %b)" % (*returns.partial, some)
        if rows and "RELEVANCY" in options:
            # RFC 6203 4: in the order of the result.
            told = rows if returns.partial is None else cut(rows, returns.partial)
            scores = (b"%d" % self.scores.get(self.picture.uids[row], 100) for row in told)
            yield "RELEVANCY", b"(%b)" % b" ".join(scores)
        if modseq:
            yield "MODSEQ", b"%d" % modseq


def cut(found: Sequence[int], partial: Range) -> Sequence[int]:
    """The part of a result that a range asks for, in the result's order; negative numbers count
    from the end (RFC 9394 3.1)."""
    near, far = sorted(partial, key=abs)
    if near > 0:
        return found[near - 1 : far]
    count = len(found)
    return found[max(count + far, 0) : max(count + near + 1, 0)]
