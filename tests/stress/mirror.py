"""A selected mailbox as a client knows it that believes all it is told, and checks all it can.

RFC: 3501 2.3.1, 7.4.1, 9051 7; 7162 3 (MODSEQ, VANISHED); 9586 3 (UIDONLY).
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass, field

from tests.stress.facts import Facts
from tests.stress.talk import Response, Value, Wrong

Flags = frozenset[str]
# What a message is and stays, by the name of its FETCH item.
LASTING = (
    "RFC822.SIZE", "EMAILID", "THREADID", "INTERNALDATE", "SAVEDATE", "ENVELOPE", "BODYSTRUCTURE",
    "BODY", "BODY[]", "BODY[HEADER.FIELDS (SUBJECT)]", "BINARY.SIZE[1]", "PREVIEW", "RFC822",
    "BODY[HEADER]", "BODY[TEXT]", "RFC822.HEADER", "RFC822.TEXT",
)  # fmt: skip


@dataclass
class Memory:
    """What a client keeps of a mailbox that it left, to begin with next time (RFC 7162 3.2.5)."""

    mailbox_id: str
    uidvalidity: int
    reach: int
    uids: list[int]
    flags: dict[int, Flags]
    modseqs: dict[int, int]


@dataclass
class Mirror:
    """One selection. ``by_uid``: VANISHED and not EXPUNGE tells what is gone; ``uidonly``: there
    are no message numbers."""

    facts: Facts
    by_uid: bool
    uidonly: bool
    user: str = ""  # whose \\Seen it is that is told
    uids: list[int | None] = field(default_factory=list)
    flags: dict[int, Flags] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    uidvalidity: int = 0
    uidnext: int = 0  # at SELECT
    first_count: int = -1  # messages at SELECT
    mailbox_id: str = ""
    highest: int = 0  # as told last in a code
    seen_modseq: int = 0  # the highest of FETCH since the last tagged OK
    code_modseq: int = 0  # of a HIGHESTMODSEQ code since the last tagged OK
    reach: int = 0  # what the client may say it has reached
    fetched: dict[int, dict[str, object]] = field(default_factory=dict)  # in the running command
    removed: set[int] = field(default_factory=set)  # in the running command
    lost_unknown: bool = False  # in the running command: one whose UID we never knew went

    # -- what a client asks itself ---------------------------------------------------------------

    def known(self) -> list[int]:
        """All UIDs, ascending, of messages whose UID is known."""
        return [uid for uid in self.uids if uid is not None]

    def complete(self) -> bool:
        return None not in self.uids

    def certain(self) -> bool:
        """Whether all that the running command was answered from is known."""
        return self.complete() and not self.lost_unknown

    def memory(self) -> Memory | None:
        """To be kept at the end; nothing if not everything is known."""
        if not self.complete() or not self.reach or not self.mailbox_id:
            return None
        uids = self.known()
        if any(uid not in self.flags or uid not in self.modseqs for uid in uids):
            return None
        return Memory(
            self.mailbox_id,
            self.uidvalidity,
            self.reach,
            uids,
            dict(self.flags),
            dict(self.modseqs),
        )

    def begin(self) -> None:
        """A command is about to be answered."""
        self.fetched, self.removed, self.lost_unknown = {}, set(), False

    def end(self) -> None:
        """It was answered: what the client has reached now (RFC 7162 3.1.2, 6)."""
        reached = self.code_modseq or self.seen_modseq
        self.seen_modseq = self.code_modseq = 0
        self.reach = max(self.reach, reached)

    # -- what the server says --------------------------------------------------------------------

    def exists(self, count: int) -> None:
        if self.first_count < 0:
            self.first_count = count
        if count < len(self.uids):
            raise Wrong(f"EXISTS fell from {len(self.uids)} to {count}")
        self.uids += [None] * (count - len(self.uids))

    def expunge(self, number: int) -> None:
        if self.by_uid or self.uidonly:
            raise Wrong("EXPUNGE where VANISHED must tell")
        if not 1 <= number <= len(self.uids):
            raise Wrong(f"EXPUNGE {number} of {len(self.uids)}")
        uid = self._pop(number - 1)
        if uid is None:
            self.lost_unknown = True
        else:
            self._forget(uid)

    def vanished(self, uids: list[int]) -> None:
        if not (self.by_uid or self.uidonly):
            raise Wrong("VANISHED was not asked for")
        for uid in uids:
            if uid in self.gone:
                raise Wrong(f"VANISHED {uid} twice")
            self._take_out(uid)
            self._forget(uid)

    def _take_out(self, uid: int) -> None:
        if uid in self.uids:
            self._pop(self.uids.index(uid))
            return
        # One whose UID we have not been told yet: between its known neighbours.
        unknown = [
            at
            for at, one in enumerate(self.uids)
            if one is None and (self.uidonly or self._fits(at, uid))
        ]
        if uid < self.uidnext:  # it was there at SELECT
            unknown = [at for at in unknown if at < self.first_count]
        if not unknown:
            raise Wrong(f"VANISHED {uid}, which is no message")
        self._pop(unknown[-1])

    def _pop(self, at: int) -> int | None:
        if at < self.first_count:
            self.first_count -= 1
        return self.uids.pop(at)

    def _fits(self, at: int, uid: int) -> bool:
        below = next((one for one in reversed(self.uids[:at]) if one is not None), 0)
        above = next((one for one in self.uids[at + 1 :] if one is not None), uid + 1)
        return below < uid < above

    def _forget(self, uid: int) -> None:
        self.gone.add(uid)
        self.removed.add(uid)
        self.flags.pop(uid, None)
        self.modseqs.pop(uid, None)

    def fetch(self, response: Response) -> int:
        """FETCH or UIDFETCH; its UID, 0 if it was not told."""
        (values,) = response.values()
        if not isinstance(values, list) or len(values) % 2:
            raise Wrong(f"FETCH of an odd list: {response.raw[:200]!r}")
        items = {_name(values[at]): values[at + 1] for at in range(0, len(values), 2)}
        if len(items) * 2 != len(values):
            raise Wrong(f"an item twice: {response.raw[:200]!r}")
        uid = self._which(response, items)
        if uid:
            self._learn(uid, items)
        return uid

    def _which(self, response: Response, items: dict[str, Value]) -> int:
        number = response.number
        if response.kind == "UIDFETCH":
            if not self.uidonly:
                raise Wrong("UIDFETCH without ENABLE UIDONLY")
            if number not in self.uids:
                self._place(number)
            return number
        if self.uidonly:
            raise Wrong("FETCH after ENABLE UIDONLY")
        if not 1 <= number <= len(self.uids):
            raise Wrong(f"FETCH of {number}, there are {len(self.uids)}")
        known = self.uids[number - 1]
        if "UID" not in items:
            return known or 0
        uid = _number(items["UID"])
        if known is None:
            self._name_it(number - 1, uid)
        elif known != uid:
            raise Wrong(f"message {number} has UID {uid}, not {known}")
        return uid

    def _place(self, uid: int) -> None:
        """UIDONLY: places are nobody's business; those yet unknown stand last."""
        unknown = self.uids.count(None)
        if not unknown:
            raise Wrong(f"UIDFETCH of {uid}, which is no message")
        if uid in self.gone:
            raise Wrong(f"UID {uid} is back")
        self.uids = [*sorted([*self.known(), uid]), *[None] * (unknown - 1)]

    def _name_it(self, at: int, uid: int) -> None:
        if uid in self.gone:
            raise Wrong(f"UID {uid} is back")
        if not self._fits(at, uid):
            raise Wrong(f"UID {uid} at {at + 1} is not in order")
        if self.uidnext and (at < self.first_count) != (uid < self.uidnext):
            raise Wrong(f"UID {uid} at {at + 1}: UIDNEXT was {self.uidnext} at SELECT")
        self.uids[at] = uid
        if self.mailbox_id:
            self.facts.reached(("uid", self.mailbox_id), uid)

    def _learn(self, uid: int, items: dict[str, Value]) -> None:
        told: dict[str, object] = dict(items)
        flags = _flags(items["FLAGS"]) if "FLAGS" in items else None
        modseq = _number(_only(items["MODSEQ"])) if "MODSEQ" in items else 0
        if modseq:
            self._learn_modseq(uid, modseq, flags)
        if flags is not None:
            self.flags[uid] = flags
            told["FLAGS"] = flags
        for name in LASTING:
            if name in items and self.mailbox_id:
                self.facts.note(
                    (name, self.mailbox_id, self.uidvalidity, uid), _frozen(items[name])
                )
        self.fetched.setdefault(uid, {}).update(told)

    def _learn_modseq(self, uid: int, modseq: int, flags: Flags | None) -> None:
        old = self.modseqs.get(uid, 0)
        if modseq < old:
            raise Wrong(f"MODSEQ of {uid} fell from {old} to {modseq}")
        self.modseqs[uid] = modseq
        self.seen_modseq = max(self.seen_modseq, modseq)
        if flags is not None and self.mailbox_id:
            key = "flags at", self.user, self.mailbox_id, self.uidvalidity, uid, modseq
            self.facts.note(key, flags)

    def told_highest(self, modseq: int) -> None:
        """An OK with HIGHESTMODSEQ."""
        self.highest = modseq
        self.code_modseq = modseq


def _name(value: Value) -> str:
    if not isinstance(value, bytes):
        raise Wrong(f"the name of an item is {value!r}")
    return value.decode().upper()


def _number(value: Value) -> int:
    if not isinstance(value, bytes) or not value.isdigit():
        raise Wrong(f"no number: {value!r}")
    return int(value)


def _only(value: Value) -> Value:
    if not isinstance(value, list) or len(value) != 1:
        raise Wrong(f"not a list of one: {value!r}")
    return value[0]


def _flags(value: Value) -> Flags:
    if not isinstance(value, list):
        raise Wrong(f"no flags: {value!r}")
    words = [one.decode() for one in value if isinstance(one, bytes)]
    if len(words) != len(set(words)) or len(words) != len(value):
        raise Wrong(f"odd flags: {value!r}")
    return frozenset(words) - {"\\Recent"}


def _frozen(value: Value) -> Hashable:
    """What stands for a value; of long texts not the text."""
    if isinstance(value, list):
        return tuple(_frozen(one) for one in value)
    if value is not None and len(value) > 100:
        return len(value), zlib.crc32(value)
    return None if value is None else bytes(value)


def expand(text: str) -> list[int]:
    """A UID set without ``*``, in its order."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        first, last = int(low), int(high or low)
        step = 1 if first <= last else -1
        found += range(first, last + step, step)
    return found


def compact(numbers: list[int]) -> str:
    """Ascending numbers as a set."""
    parts: list[str] = []
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        parts.append(str(numbers[at]) if end == at else f"{numbers[at]}:{numbers[end]}")
        at = end + 1
    return ",".join(parts)


def within(uids: list[int], low: int, high: int) -> list[int]:
    """Those of ascending UIDs that lie there."""
    return uids[bisect_left(uids, low) : bisect_left(uids, high + 1)]
