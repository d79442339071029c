"""SORT, THREAD, ESEARCH and CANCELUPDATE as values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.model.flags import Flag
from mailnode.wire.imap.ast import (
    AllKey,
    AndKey,
    Args,
    CancelUpdate,
    Command,
    Criterion,
    Fault,
    FlagKey,
    HeaderKey,
    Malformed,
    MultiSearch,
    NotKey,
    OrKey,
    Search,
    SearchReturn,
    Sort,
    SortKey,
    Source,
    TextKey,
    Thread,
    Threading,
)
from mailnode.wire.imap.parse import parse_command
from mailnode.wire.imap.receiver import RawCommand

ALL = AllKey()
DATE = (Criterion(SortKey.DATE),)


def parse(line: bytes) -> Command | Malformed:
    return parse_command(RawCommand((b"t " + line,), ()))


@pytest.mark.parametrize(
    ("line", "want"),
    [
        (b"SORT (DATE) UTF-8 ALL", Sort(DATE, ALL, "UTF-8")),
        (
            b"uid sort (reverse date subject) us-ascii all",
            Sort((Criterion(SortKey.DATE, True), Criterion(SortKey.SUBJECT)), ALL, "US-ASCII"),
        ),
        (
            b"SORT RETURN () (DATE) UTF-8 ALL",
            Sort(DATE, ALL, "UTF-8", SearchReturn(frozenset({"ALL"}))),
        ),
        (
            b"SORT RETURN (COUNT PARTIAL -1:-9 UPDATE) (DATE) UTF-8 ALL",
            Sort(DATE, ALL, "UTF-8", SearchReturn(frozenset({"COUNT", "UPDATE"}), (-1, -9))),
        ),
        (b"SORT (REVERSE REVERSE DATE) UTF-8 ALL", None),
        (b"SORT (DATE)", None),
        (b"SORT DATE UTF-8 ALL", None),
        (b"THREAD references UTF-8 ALL", Thread(Threading.REFERENCES, ALL, "UTF-8")),
        (b"THREAD UTF-8 ALL", None),
        (b'CANCELUPDATE "a" "b c"', CancelUpdate(("a", "b c"))),
        (b"CANCELUPDATE", None),
        (b"CANCELUPDATE a", None),
        (b"ESEARCH ALL", MultiSearch((), Search(ALL))),
        (
            b'ESEARCH IN (personal subtree ("a" b) mailboxes "inbox") RETURN (MIN) SEEN',
            MultiSearch(
                (
                    Source("PERSONAL"),
                    Source("SUBTREE", ("a", "b")),
                    Source("MAILBOXES", ("INBOX",)),
                ),
                Search(FlagKey(Flag.SEEN), returns=SearchReturn(frozenset({"MIN"}))),
            ),
        ),
        (b"ESEARCH IN (subtree ()) ALL", None),
        (b"ESEARCH IN (personal (x)) ALL", None),
        (b"UID ESEARCH ALL", None),
        (b"SEARCH FUZZY BODY x", Search(TextKey("x", True, True))),
        (
            b"SEARCH FUZZY (FROM a NOT OR TEXT b SEEN)",
            Search(
                AndKey(
                    (
                        HeaderKey("from", "a", True),
                        NotKey(OrKey(TextKey("b", False, True), FlagKey(Flag.SEEN))),
                    )
                )
            ),
        ),
    ],
)
def test_commands(line: bytes, want: Args | None) -> None:
    got = parse(line)
    if want is None:
        assert isinstance(got, Malformed), got
    else:
        assert isinstance(got, Command), got
        assert got.args == want


def test_an_unknown_charset_has_a_fault_of_its_own() -> None:
    for line in (b"SORT (DATE) X-NO ALL", b"THREAD REFS X-NO ALL", b"ESEARCH CHARSET X-NO ALL"):
        got = parse(line)
        assert isinstance(got, Malformed)
        assert got.fault is Fault.BAD_CHARSET


WORDS = st.sampled_from(
    b'SORT THREAD ESEARCH IN RETURN ( ) REVERSE DATE UTF-8 ALL FUZZY NOT OR "a" $ 1:* PARTIAL '
    b"-1:-2 UPDATE subtree mailboxes REFS CANCELUPDATE UID BODY x".split()
)


@given(st.lists(WORDS, max_size=14), st.sampled_from([b" ", b"", b"  "]))
@settings(max_examples=500, deadline=None)
def test_no_words_break_the_parser(words: list[bytes], glue: bytes) -> None:
    line = b" ".join(words).replace(b"( ", b"(" + glue).replace(b" )", glue + b")")
    assert isinstance(parse(line), Command | Malformed)
