"""Habits that a reviewer should not have to look for."""

from __future__ import annotations

import ast
import re

import pytest

from mailnode.runtime.log import SECRET_NAME
from mailnode.runtime.maillog import Event
from tests.shape.tree import ROOT, Module, modules


def _ids(module: Module) -> str:
    return module.name


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_no_bare_except_and_none_that_hides(module: Module) -> None:
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        where = f"{module.path}:{node.lineno}"
        assert node.type is not None, f"{where}: say which exception"
        wide = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
        hides = all(isinstance(part, ast.Pass) for part in node.body)
        assert not (wide and hides), f"{where}: a fault is hidden"


@pytest.mark.parametrize("module", [m for m in modules() if m.room != "admin"], ids=_ids)
def test_only_the_command_line_prints(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "breakpoint", "input"), (
                f"{module.path}:{node.lineno}"
            )


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_events_have_no_secret_fields(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _is_event(node):
            for keyword in node.keywords:
                where = f"{module.path}:{node.lineno}"
                assert not SECRET_NAME.search(keyword.arg or ""), f"{where}: {keyword.arg}"
                assert not _speaks_of_secrets(keyword.value), f"{where}: {keyword.arg}"


def _is_event(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "event"


def _speaks_of_secrets(value: ast.expr) -> bool:
    """Whether a variable or attribute named like a secret goes into the field."""
    names = [n.id for n in ast.walk(value) if isinstance(n, ast.Name)]
    names += [n.attr for n in ast.walk(value) if isinstance(n, ast.Attribute)]
    # The enumeration of reasons may speak of passwords; its values hold none.
    return any(SECRET_NAME.search(name) for name in names if not name.isupper())


def test_vocabulary_of_the_mail_log_is_closed() -> None:
    text = (ROOT / "mailnode/runtime/maillog.py").read_text()
    for event in Event:
        assert re.search(rf'{event.name} = "{event}"', text), event
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event)


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_nothing_is_left_for_later(module: Module) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", module.text), module.path


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_ignored_types_have_a_reason(module: Module) -> None:
    for number, line in enumerate(module.text.splitlines(), 1):
        if "# type: ignore" in line:
            assert re.search(r"# type: ignore\[[\w, -]+\]\s+# \S", line), f"{module.path}:{number}"


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_deferreds_stay_at_the_doors(module: Module) -> None:
    for line, name in module.imports():
        if name.startswith("twisted.internet.defer"):
            assert module.name.startswith("mailnode.access."), f"{module.path}:{line}"
