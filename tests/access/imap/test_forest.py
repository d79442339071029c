"""Threads: properties that hold for any mail."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.access.imap.forest import Forest, Node
from mailnode.access.imap.thread import format_written, in_order

NAMES = st.sampled_from([*"abcdefg", ""])
MAILS = st.lists(
    st.tuples(
        NAMES,
        st.lists(NAMES.filter(bool), max_size=4),
        st.integers(0, 3),
        st.sampled_from(["", "x", "y"]),
        st.booleans(),
    ),
    max_size=12,
)


def rows_below(nodes: list[Node]) -> list[int]:
    found, pending = [], list(nodes)
    while pending:
        node = pending.pop()
        assert not node.is_dummy or node.children
        found += [] if node.is_dummy else [node.row]
        pending += node.children
        assert len(found) < 100, "a loop"
    return sorted(found)


@given(MAILS, st.booleans())
@settings(max_examples=400)
def test_each_message_stands_once(mails: list[tuple], by_subject: bool) -> None:  # type: ignore[type-arg]  # hypothesis gives what MAILS says
    forest = Forest()
    for row, (name, references, at, subject, reply) in enumerate(mails):
        forest.add(row, name, references, at, subject, reply)
    grown = forest.grown(by_subject=by_subject)
    assert rows_below(grown) == list(range(len(mails)))
    text = format_written(list(in_order(grown)), lambda row: row + 1)
    assert text.count(b"(") == text.count(b")")
    for wrong in (b"()", b"( ", b" )"):
        assert wrong not in text


def test_a_very_deep_thread_needs_no_recursion() -> None:
    forest = Forest()
    for row in range(20_000):
        forest.add(row, f"m{row}", [f"m{row - 1}"] if row else [], row)
    (thread,) = forest.grown(by_subject=True)
    text = format_written(list(in_order([thread])), lambda row: row)
    assert text.startswith(b"(0 1 2 3 ")
    assert text.endswith(b" 19998 19999)")
