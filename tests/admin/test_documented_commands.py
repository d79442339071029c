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
_INLINE = re.compile(r"(?<!`)`mailnode ([a-z-][^`\n]*)`(?!`)")
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


def _mentions() -> list[tuple[str, list[str]]]:
    """Commands named within a sentence: perhaps without what they must be given."""
    return [
        (page.name, text.split())
        for page in PAGES
        for text in _INLINE.findall(page.read_text())
        if text[0].isalpha()
    ]


@pytest.mark.parametrize(("page", "words"), _mentions(), ids=lambda value: str(value)[:60])
def test_mentioned_commands_and_options_exist(page: str, words: list[str]) -> None:
    command = typer.main.get_command(app)
    rest = words
    while hasattr(command, "commands") and rest and re.fullmatch(r"[a-z][a-z0-9-]*", rest[0]):
        assert rest[0] in command.commands, f"{page}: no command {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    for word in rest:
        option = re.match(r"\[?(--[a-z0-9-]+)", word)
        assert not option or option[1] in known, f"{page}: mailnode {' '.join(words)}: {option}"


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
    assert len(_mentions()) > 20
    assert len([page for page, _ in _commands() if page == "cluster.md"]) >= 8
