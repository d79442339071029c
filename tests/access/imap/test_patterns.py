import time

import pytest

from mailnode.access.imap.patterns import Pattern, combined


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*", ["INBOX", "A", "A/B/C"], []),
        ("%", ["A", "INBOX"], ["A/B"]),
        ("A/%", ["A/B", "A/"], ["A", "A/B/C", "B/B"]),
        ("%/%", ["A/B"], ["A", "A/B/C"]),
        ("*/C", ["A/C", "A/B/C"], ["C", "A/C/D"]),
        ("A*C", ["AC", "A/B/C", "ABC"], ["A/C/B"]),
        ("%n%", ["Junk", "n"], ["Ju/nk"]),
        ("inbox", ["INBOX"], ["inbox2"]),
        ("InBoX/%", ["INBOX/a"], ["INBOX", "INBOX/a/b"]),
        ("INBOX*", ["INBOX", "INBOX/a"], ["inbo"]),
        ("", [""], ["A"]),
        ("a", ["a"], ["A"]),
        ("**%%a", ["a", "x/a"], ["b"]),
        ("Entwürfe", ["Entwürfe"], ["Entwurfe"]),
    ],
)
def test_matches(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = Pattern(pattern)
    assert [name for name in yes + no if compiled.matches(name)] == yes


def test_hostile_pattern_takes_little_time() -> None:
    start = time.perf_counter()
    assert not Pattern("*a" * 500 + "b").matches("a" * 1000)
    assert time.perf_counter() - start < 2.0


def test_reference_goes_before_the_pattern() -> None:
    assert combined("A/", "%") == "A/%"
    assert combined("A/", "/B") == "/B"
