"""The mirror notices what no server may say; else a run with nothing wrong would mean nothing."""

from __future__ import annotations

import pytest

from tests.stress.crowd import Belief, Outcome, together
from tests.stress.facts import Facts, conflicts
from tests.stress.mirror import Mirror, compact, expand
from tests.stress.talk import Response, Wrong, parse, read_all, responses


def mirror_of(*uids: int, qresync: bool = False, uidonly: bool = False) -> Mirror:
    found = Mirror(Facts(), qresync, uidonly, mailbox_id="m", uidvalidity=1, uidnext=100)
    found.exists(len(uids))
    for number, uid in enumerate(uids, 1):
        line = f"* {uid} UIDFETCH (FLAGS ())" if uidonly else f"* {number} FETCH (UID {uid})"
        found.fetch(parse(line.encode()))
    return found


def fetch(found: Mirror, line: str) -> None:
    found.fetch(parse(line.encode()))


def test_messages_come_and_go() -> None:
    found = mirror_of(3, 5, 9)
    found.expunge(2)
    found.exists(3)
    fetch(found, "* 3 FETCH (UID 100 FLAGS (\\Seen) MODSEQ (7))")
    assert found.known() == [3, 9, 100]
    assert found.flags[100] == {"\\Seen"}
    found.end()
    assert found.reach == 7


def test_vanished_takes_out_what_is_known_and_what_is_not() -> None:
    found = mirror_of(3, 5, qresync=True)
    found.exists(4)
    found.vanished([3, 101])
    assert found.uids == [5, None]


@pytest.mark.parametrize(
    "line",
    [
        "* 4 FETCH (UID 9)",
        "* 1 FETCH (UID 4)",
        "* 1 FETCH (FLAGS () FLAGS ())",
        "* 3 UIDFETCH (FLAGS ())",
        "* 1 FETCH (FLAGS (\\Seen \\Seen))",
        "* 1 FETCH (FLAGS)",
        "* 1 FETCH (UID x)",
    ],
)
def test_a_fetch_that_cannot_be(line: str) -> None:
    with pytest.raises(Wrong):
        fetch(mirror_of(3, 5, 9), line)


def test_what_cannot_be_of_counts_and_expunges() -> None:
    with pytest.raises(Wrong, match="fell"):
        mirror_of(3, 5).exists(1)
    with pytest.raises(Wrong, match="EXPUNGE 3 of 2"):
        mirror_of(3, 5).expunge(3)
    with pytest.raises(Wrong, match="VANISHED"):
        mirror_of(3, qresync=True).expunge(1)
    with pytest.raises(Wrong, match="not asked"):
        mirror_of(3).vanished([3])
    with pytest.raises(Wrong, match="no message"):
        mirror_of(3, qresync=True).vanished([4])


def test_what_cannot_be_of_uids() -> None:
    found = mirror_of(3, 5)
    found.expunge(2)
    found.exists(2)
    with pytest.raises(Wrong, match="is back"):
        fetch(found, "* 2 FETCH (UID 5)")
    with pytest.raises(Wrong, match="UIDNEXT was 100"):
        fetch(found, "* 2 FETCH (UID 99)")
    later = mirror_of(3)
    later.exists(3)
    fetch(later, "* 2 FETCH (UID 101)")
    with pytest.raises(Wrong, match="not in order"):
        fetch(later, "* 3 FETCH (UID 100)")


def test_what_cannot_be_of_modseqs_and_of_what_lasts() -> None:
    found = mirror_of(3)
    fetch(found, "* 1 FETCH (FLAGS (x) MODSEQ (9) RFC822.SIZE 7)")
    with pytest.raises(Wrong, match="fell"):
        fetch(found, "* 1 FETCH (FLAGS (x) MODSEQ (8))")
    with pytest.raises(Wrong, match="flags at"):
        fetch(found, "* 1 FETCH (FLAGS (y) MODSEQ (9))")
    with pytest.raises(Wrong, match=r"RFC822\.SIZE"):
        fetch(found, "* 1 FETCH (RFC822.SIZE 8)")


def test_uidonly_has_no_places() -> None:
    found = mirror_of(9, 3, uidonly=True)
    assert found.known() == [3, 9]
    with pytest.raises(Wrong, match="UIDONLY"):
        fetch(found, "* 1 FETCH (UID 3)")
    with pytest.raises(Wrong, match="no message"):
        fetch(found, "* 4 UIDFETCH (FLAGS ())")


def test_facts_of_several_processes_are_compared() -> None:
    facts = Facts()
    facts.note(("a",), 1)
    with pytest.raises(Wrong):
        facts.note(("a",), 2)
    assert conflicts([{("a",): 1}, {("a",): 1, ("b",): 2}]) == []
    assert len(conflicts([{("a",): 1}, {("a",): 2}])) == 1


def test_beliefs_are_compared_and_seen_is_each_users_own() -> None:
    def belief(user: str, *flags: str) -> Belief:
        return Belief(user, [1], {1: frozenset(flags)})

    def wrong(**beliefs: Belief) -> list[str]:
        return together([Outcome(beliefs={"m": beliefs})]).wrong

    ann, bob = belief("ann", "\\Seen", "k"), belief("bob", "k")
    assert wrong(a=ann, b=bob) == []
    assert wrong(a=ann, b=belief("ann", "k")) != []
    assert wrong(a=ann, b=belief("bob", "\\Seen")) != []
    assert wrong(a=ann, b=bob, c=belief("bob", "k", "\\Seen")) != []
    assert wrong(a=ann, b=Belief("bob", [1, 2], {})) != []


def test_responses_are_read_whole() -> None:
    said = b'* 1 FETCH (BODY[] {4}\r\nA\r\nB UID 2)\r\n* LIST () "/" "a b"\r\n'
    said += b'a OK [X (1 "]")] done\r\n'
    first, second, last = responses(said)
    assert first.values() == [[b"BODY[]", b"A\r\nB", b"UID", b"2"]]
    assert second.values() == [[], b"/", b"a b"]
    assert (last.tag, last.kind, last.code) == ("a", "OK", 'X (1 "]")')
    assert parse(b"* 3 EXISTS") == Response("*", "EXISTS", 3, raw=b"* 3 EXISTS")


@pytest.mark.parametrize("said", [b"(a  b)", b"(a", b"a)", b'"x', b"(a)b"])
def test_values_that_are_none(said: bytes) -> None:
    with pytest.raises(Wrong):
        read_all(said)


def test_sets() -> None:
    assert expand("1:3,7,6:5") == [1, 2, 3, 7, 6, 5]
    assert compact([1, 2, 3, 7]) == "1:3,7"
