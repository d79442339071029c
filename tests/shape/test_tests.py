"""What keeps a test that fails half way from keeping the whole run from its end: Python waits at
its end for threads that are no daemons, and for such children of ``multiprocessing``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.shape.tree import ROOT

FILES = [
    path.relative_to(ROOT)
    for room in ("tests", "bench")
    for path in sorted((ROOT / room).rglob("*.py"))
]
WAITED_FOR = ("Thread", "Process")


def waits(tree: ast.AST) -> list[int]:
    """Lines that make a thread or a process which Python would wait for at its end."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WAITED_FOR
        and not any(ast.unparse(word) == "daemon=True" for word in node.keywords)
    ]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_python_need_not_wait(path: Path) -> None:
    assert waits(ast.parse((ROOT / path).read_text())) == [], f"{path}: say daemon=True"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("threading.Thread(target=f)", [1]),
        ("\nspawn.Process(target=f, daemon=False)", [2]),
        ("threading.Thread(target=f, daemon=True)", []),
    ],
)
def test_it_is_found(code: str, found: list[int]) -> None:
    assert waits(ast.parse(code)) == found
