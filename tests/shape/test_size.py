"""Small wins: functions and modules that fit on a screen, each module with its little manual."""

from __future__ import annotations

import ast
import re
import statistics

import pytest

from tests.shape.tree import Module, functions, modules

FUNCTION_MAX_LINES = 45
FUNCTION_MEDIAN_LINES = 12
MODULE_MAX_LINES = 400
BANNED = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "stuff"}
HEADINGS = ("Promises", "Fails", "Locks", "RFC")


def _ids(module: Module) -> str:
    return module.name


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef, with_signature: bool = True) -> int:
    """Lines of a function without its docstring."""
    body = node.body
    start = node.lineno if with_signature else body[0].lineno - 1
    has_doc = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    doc = (body[0].end_lineno or 0) - body[0].lineno + 1 if has_doc else 0
    return (node.end_lineno or start) - start + 1 - doc


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_functions_are_short(module: Module) -> None:
    # A command's signature declares its options, a line or more each.
    declares = module.name.startswith("mailnode.admin.cli.")
    for node in functions(module):
        assert _lines(node, not declares) <= FUNCTION_MAX_LINES, (
            f"{module.path}:{node.lineno}: {node.name}"
        )


def test_the_usual_function_is_short() -> None:
    lengths = [_lines(node) for module in modules() for node in functions(module)]
    assert statistics.median(lengths) <= FUNCTION_MEDIAN_LINES


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_modules_are_short(module: Module) -> None:
    assert module.text.count("\n") <= MODULE_MAX_LINES


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_modules_open_with_what_they_are(module: Module) -> None:
    doc = ast.get_docstring(module.tree)
    assert doc, module.path
    title = doc.splitlines()[0]
    assert title.endswith((".", "?", "…")) or len(doc.splitlines()) > 1, module.path


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_headings_are_written_one_way(module: Module) -> None:
    doc = ast.get_docstring(module.tree) or ""
    for word in HEADINGS:
        wrong = re.search(rf"^\s*{word}s?\s*(-|–|—)|^{word.upper()}:", doc, re.M)
        assert not wrong or word == "RFC", f"{module.path}: write {word}:"


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_names_say_what_a_thing_is(module: Module) -> None:
    assert not BANNED & set(re.split(r"[._]", module.name)), module.name
