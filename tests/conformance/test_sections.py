"""``docs/imap-sections.md`` claims no section that no test holds."""

from __future__ import annotations

import re

import pytest

from tests.conformance import sections, test_imap_table


@pytest.mark.parametrize(
    "section", list(sections.sections()), ids=lambda one: f"{one.rfc} {one.title}"
)
def test_what_is_claimed_has_tests_that_are_there(section: sections.Section) -> None:
    assert section.tests or section.status == "no"
    for test in section.tests:
        file, _, name = test.partition("::")
        there = sections.functions(sections.TESTS / file)
        assert there if name == "*" else name in there, test


def test_the_page_is_made_of_the_table() -> None:
    command = "python -m tests.conformance.sections --write"
    assert sections.PAGE.read_text() == sections.page(), f"older than its table: {command}"


def test_every_rfc_that_is_offered_has_its_sections() -> None:
    known = {one.rfc for one in sections.sections()}
    offered = {
        row.tests.removeprefix("rfc") for row in test_imap_table.rows() if row.status != "no"
    }
    assert {rfc for rfc in offered if re.fullmatch(r"\d+", rfc)} <= known
