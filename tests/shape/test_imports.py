"""Arrows between rooms point one way, and each framework has one door."""

from __future__ import annotations

import sys

import pytest

from tests.shape.tree import Module, modules

# docs/design.md: what each room may use besides itself.
MAY_USE: dict[str, set[str]] = {
    "model": set(),
    "wire": {"model"},
    "runtime": {"model"},
    "directory": {"model", "runtime"},
    "store": {"model", "wire", "runtime"},
    "queue": {"model", "runtime"},
    "cluster": {"model", "runtime", "queue", "store"},
    "policy": {"model", "directory", "runtime"},
    "routing": {"model", "directory", "wire", "runtime"},
    "delivery": {"model", "store", "queue", "routing", "wire", "runtime", "directory"},
    "intake": {"model", "wire", "runtime", "directory", "policy", "routing", "delivery", "queue"},
    "access": {"model", "wire", "runtime", "directory", "store", "cluster"},
}
ROOMS = {*MAY_USE, "admin"}
# They compose the whole and may use every room.
TOP = {"main", "worker", "__main__", "admin", ""}

# Seams, as the Protocols and values in a package's own ``__init__`` are: the queue's runner hands
# over through ``delivery``'s Courier.
SEAMS = {
    ("queue", "mailnode.delivery"),
    ("queue", "mailnode.directory"),
    ("wire", "mailnode.runtime"),
    # A login is an exchange of the same kind in every protocol (``directory.exchange``).
    ("directory", "mailnode.wire.sasl"),
}

# Who may import a framework. A name ends in "." where everything below is meant.
DOORS: dict[str, tuple[str, ...]] = {
    "aiosmtpd": ("mailnode.intake.",),
    "twisted.mail": ("mailnode.access.imap.", "mailnode.access.pop3."),
    "twisted": (
        "mailnode.access.door",
        "mailnode.access.imap.",
        "mailnode.access.pop3.",
        "mailnode.runtime.",
    ),
    "sqlalchemy": (
        "mailnode.runtime.sql",
        "mailnode.runtime.sql_addresses",
        "mailnode.runtime.sql_faults",
        "mailnode.runtime.sql_held",
        "mailnode.runtime.sql_rows",
        "mailnode.runtime.sql_server",
        "mailnode.directory.",
    ),
    "sqlite3": ("mailnode.store.", "mailnode.runtime.sql"),
    "aiosqlite": ("mailnode.runtime.sql",),
    "aiomysql": ("mailnode.runtime.sql_wires",),
    "alembic": ("mailnode.directory.",),
    "passlib": ("mailnode.directory.",),
    "jwt": ("mailnode.directory.tokens.",),
    "typer": ("mailnode.admin.",),
    "rich": ("mailnode.admin.",),
    "cryptography": ("mailnode.runtime.",),
    "OpenSSL": ("mailnode.runtime.", "mailnode.access."),
}

# wire/ is sans-IO: bytes in, values out.
IMPURE = {
    "asyncio", "aiosmtpd", "twisted", "socket", "ssl", "sqlalchemy", "time", "os", "logging",
    "threading", "pathlib", "subprocess", "random", "selectors",
}  # fmt: skip


def _ids(module: Module) -> str:
    return module.name


def _room_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if parts[0] == "mailnode" and len(parts) > 1 else ""


def test_every_room_is_known() -> None:
    assert {module.room for module in modules()} - TOP <= ROOMS


@pytest.mark.parametrize("module", modules(), ids=_ids)
def test_room_uses_only_what_lies_below(module: Module) -> None:
    if module.room in TOP:
        return
    allowed = {module.room, *MAY_USE[module.room]}
    for line, name in module.imports():
        room = _room_of(name)
        if room in ROOMS | TOP - {""}:
            seam = any(module.room == who and _is_seam(name, what) for who, what in SEAMS)
            assert room in allowed or seam, (
                f"{module.path}:{line}: {module.room} may not use {name}"
            )


def _is_seam(name: str, package: str) -> bool:
    """``name`` is imported from the package's ``__init__`` itself, not from a module within."""
    return name.rpartition(".")[0] == package


def test_store_reads_mime_only() -> None:
    for module in modules():
        if module.room == "store":
            for line, name in module.imports():
                if _room_of(name) == "wire":
                    assert name.startswith("mailnode.wire.mime"), f"{module.path}:{line}: {name}"


@pytest.mark.parametrize("framework", DOORS)
def test_framework_is_met_at_its_door_only(framework: str) -> None:
    for module in modules():
        for line, name in module.imports():
            if name == framework or name.startswith(framework + "."):
                spot = module.name + "."
                doors = DOORS[framework]
                assert any(spot.startswith(door.rstrip(".") + ".") for door in doors), (
                    f"{module.path}:{line}: {framework} belongs to {doors}"
                )


def test_engines_are_built_in_one_place() -> None:
    for module in modules():
        if module.name != "mailnode.runtime.sql":
            assert "create_async_engine" not in module.text, module.path
            assert "create_engine(" not in module.text, module.path


@pytest.mark.parametrize("module", [m for m in modules() if m.room == "wire"], ids=_ids)
def test_wire_does_no_io(module: Module) -> None:
    for line, name in module.imports():
        assert name.partition(".")[0] not in IMPURE, f"{module.path}:{line}: {name}"


def test_nobody_imports_the_reactor_at_the_top() -> None:
    for module in modules():
        for node in module.tree.body:
            text = ast_text(module, node)
            assert "twisted.internet import reactor" not in text, module.path
            assert "twisted.internet.reactor" not in text or "sys.modules" in text, module.path


def ast_text(module: Module, node: object) -> str:
    """The source of a top-level import; nothing for other statements."""
    import ast

    if isinstance(node, ast.Import | ast.ImportFrom):
        return ast.get_source_segment(module.text, node) or ""
    return ""


def test_program_uses_declared_dependencies_only() -> None:
    declared = {
        "aiosmtpd", "twisted", "zope", "OpenSSL", "sqlalchemy", "aiomysql", "aiosqlite", "alembic",
        "passlib", "argon2", "bcrypt", "cryptography", "idna", "pydantic", "structlog", "typer",
        "rich", "click", "pymysql", "jwt", "mailnode",
    }  # fmt: skip
    for module in modules():
        for line, name in module.imports():
            first = name.partition(".")[0]
            known = first in declared or first in sys.stdlib_module_names
            assert known, f"{module.path}:{line}: {first} is not declared in pyproject.toml"
