"""Makes ``docs/imap-sections.md`` of ``sections.toml``: python -m tests.conformance.sections
[--write]; without ``--write`` it prints the page."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "imap-sections.md"
_TABLE = TESTS / "conformance" / "sections.toml"
_HEADING = """# IMAP, section by section

Made from `tests/conformance/sections.toml`, where each section of each RFC names the tests that
hold it; a test fails when one of them is not there, or when this page is older than the table.
[The table of capabilities](imap.md) says what is offered.
"""


class Section(NamedTuple):
    """``status`` is yes, part, no or – (asks nothing of a server); ``tests`` are paths below
    tests/ with names, ``*`` for all of a file."""

    rfc: str
    title: str
    status: str
    note: str
    tests: tuple[str, ...]


def sections() -> Iterator[Section]:
    """All of the table."""
    for rfc, titles in tomllib.loads(_TABLE.read_text()).items():
        for title, value in titles.items():
            yield _section(rfc, title, value)


def _section(rfc: str, title: str, value: str) -> Section:
    found = re.match(r"(part|no): ([^;]*)(?:; )?", value)
    status, note = (found[1], found[2]) if found else ("yes", "")
    names = value[found.end() :] if found else value
    return Section(rfc, title, status, note, tuple(_path(rfc, name) for name in names.split()))


def _path(rfc: str, name: str) -> str:
    if "::" not in name:
        for file in sorted((TESTS / "conformance" / f"rfc{rfc}").glob("test_*.py")):
            if name in functions(file):
                return f"conformance/rfc{rfc}/{file.name}::{name}"
        return f"conformance/rfc{rfc}::{name}"
    return f"conformance/{name}" if name.startswith("rfc") else name


def functions(file: Path) -> set[str]:
    """The tests of a file."""
    text = file.read_text() if file.is_file() else ""
    return set(re.findall(r"^ *(?:async )?def (test_\w+)", text, re.M))


def page() -> str:
    """The page as it should be."""
    lines, last = [_HEADING], ""
    for one in sections():
        if one.rfc != last:
            lines += [
                "",
                f"## RFC {one.rfc}",
                "",
                "| section | status | held by |",
                "|---|---|---|",
            ]
            last = one.rfc
        files: dict[str, list[str]] = {}
        for test in one.tests:
            file, _, name = test.partition("::")
            files.setdefault(file, []).append(name.removeprefix("test_"))
        held = "; ".join(
            f"`{file.removeprefix('conformance/')}`"
            + ("" if names == ["*"] else ": " + ", ".join(name.replace("_", " ") for name in names))
            for file, names in files.items()
        )
        lines.append(
            f"| {one.title} | {one.status} | {'; '.join(filter(None, (one.note, held)))} |"
        )
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        print(page(), end="")
