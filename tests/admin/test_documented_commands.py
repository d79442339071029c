"""Every mailnode command written in the documentation is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from mailnode.admin.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^(?:\$ |# )?(?:sudo )?(?:\S*/)?mailnode (?=[a-z-])(.*)$")


def _commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                if match := _LINE.match(line):
                    shell = shlex.shlex(match[1], posix=True, punctuation_chars=True)
                    shell.whitespace_split, words = True, []
                    for word in shell:
                        if set(word) & set("|<>;&"):
                            break
                        words.append(word)
                    found.append((page.name, words))
    return found


@pytest.mark.parametrize(("page", "words"), _commands(), ids=lambda value: str(value)[:60])
def test_documented_commands_are_taken(page: str, words: list[str]) -> None:
    command = typer.main.get_command(app)
    context = command.make_context("mailnode", [], resilient_parsing=True)
    rest = words
    while hasattr(command, "commands"):
        assert rest, f"{page}: mailnode {shlex.join(words)}: no command named"
        assert rest[0] in command.commands, f"{page}: no command {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(command.name, rest, parent=context)


def test_documented_commands_are_found() -> None:
    assert len(_commands()) > 5
