import random
import re
import time

import pytest

from mailnode.access.imap.patterns import MAX_LETTERS, Patterns, combined


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
    compiled = Patterns([pattern])
    assert [name for name in yes + no if compiled.matches(name)] == yes


def test_hostile_pattern_takes_little_time() -> None:
    start = time.perf_counter()
    assert not Patterns(["*a" * 500 + "b"]).matches("a" * 1000)
    assert time.perf_counter() - start < 2.0


def test_many_patterns_match_what_each_would() -> None:
    chance = random.Random(1)
    texts = ["".join(chance.choices("ab/*%", k=chance.randint(0, 6))) for _ in range(60)]
    names = ["".join(chance.choices("ab/", k=chance.randint(0, 7))) for _ in range(300)]
    for at in range(0, len(texts), 3):
        some = texts[at : at + 3]
        shapes = [re.escape(one).replace(r"\*", ".*").replace("%", "[^/]*") for one in some]
        for name in names:
            expected = any(re.fullmatch(shape, name) for shape in shapes)
            assert Patterns(some).matches(name) == expected, (some, name)


def test_thousands_of_hostile_patterns_take_little_time() -> None:
    found = Patterns(f"*a{at}" + "*a" * 14 + "b" for at in range(1900))
    start = time.process_time()
    assert not any(found.matches(f"a{at}/" + "a" * 60) for at in range(100))
    assert time.process_time() - start < 5.0


def test_a_pattern_longer_than_any_name_matches_nothing() -> None:
    found = Patterns(["x" * (MAX_LETTERS + 1), "y*"])
    assert found.size < 10
    assert found.matches("yes")
    assert not found.matches("x" * (MAX_LETTERS + 1))
    assert not Patterns([]).matches("")


def test_reference_goes_before_the_pattern() -> None:
    assert combined("A/", "%") == "A/%"
    assert combined("A/", "/B") == "/B"
