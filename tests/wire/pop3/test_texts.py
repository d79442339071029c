"""Every text that POP3 says is there in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model import errors
from mailnode.wire.pop3.command import Malformed, parse_command
from mailnode.wire.pop3.texts import LANGUAGES, chosen_language, translated
from mailnode.wire.sasl import SaslFault

SOURCES = Path(__file__).parents[3] / "mailnode" / "access" / "pop3"
# What holds a name or a reference, and what no client of POP3 can meet.
UNTRANSLATED = re.compile(r"internal error, reference|needs # number|^\{|^# #?$|^$")
MET = (errors.DirectoryGone, errors.LeaseLost, errors.NoSuchMessage, errors.StorageFull)
MET += (errors.StorageGone, errors.TemporaryError)


def said() -> Iterator[str]:
    """The texts given to ``ok`` and ``err``, with "#" for what is filled in."""
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if named and node.func.id in ("ok", "err") and node.args:
                yield from texts_of(node.args[0])
    yield from ("# octets", "top of message", "server is busy, try later")
    yield from (fault.value for fault in SaslFault if fault is not SaslFault.UNKNOWN)
    yield from (kind.public for kind in MET)
    for line in (b"", b"USER a\x01", b"USER \xff"):
        found = parse_command(line)
        assert isinstance(found, Malformed)
        yield found.text


def texts_of(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "#" for part in node.values
        )


def test_every_text_is_there_in_german() -> None:
    texts = {re.sub(r"\{[^}]*\}", "#", text) for text in said()}
    states = {"not allowed in # state"}
    assert states <= texts
    for text in texts - states | {"not allowed in transaction state"}:
        if not UNTRANSLATED.search(text) and text.strip("# "):
            assert translated(text.replace("#", "7"), "de", utf8=True) != text.replace("#", "7"), (
                text
            )


def test_numbers_stay() -> None:
    text = "3 messages (120 octets)"
    assert translated(text, "de", utf8=False) == "3 Nachrichten (120 Oktette)"
    assert translated(text, "en", utf8=False) == text
    assert translated("1 120", "de", utf8=True) == "1 120"


def test_without_utf8_texts_are_ascii() -> None:
    text = "message 2 deleted"
    assert translated(text, "de", utf8=True) == "Nachricht 2 gelöscht"
    assert translated(text, "de", utf8=False) == "Nachricht 2 geloescht"
    for one in said():
        for language in LANGUAGES:
            assert translated(one, language, utf8=False).isascii()


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        *(("de", "de"), ("DE-at-1996", "de"), ("*", "en"), ("en", "en"), ("fr", None)),
        *(("i-default", None), ("de-", None), ("d" * 9, None), ("", None), ("de_AT", None)),
        ("**", None),
    ],
)
def test_which_language_is_meant(wanted: str, tag: str | None) -> None:
    assert chosen_language(wanted) == tag
