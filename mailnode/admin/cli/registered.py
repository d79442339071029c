"""What the commands for people and addresses share: the registry, passwords, rows."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mailnode.admin.cli.frame import CliError, print_json, read_settings

if TYPE_CHECKING:
    from mailnode.directory.registry import Registry

T = TypeVar("T")
# No characters that look alike: 20 of these 55 are 115 bits.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GENERATED = 20

Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
OnlyDomain = Annotated[str | None, typer.Option("--domain", "-d", help="Only of this domain.")]


def registered(config: Path, work: Callable[[Registry], Awaitable[T]]) -> T:
    """Run ``work`` with the registry of these settings. Raises ``MailnodeError``, ``CliError``."""
    from mailnode.directory.registry import open_registry

    settings = read_settings(config)

    async def run() -> T:
        async with open_registry(settings.directory) as registry:
            return await work(registry)

    return asyncio.run(run())


def new_password(config: Path, generate: bool, from_stdin: bool) -> str:
    """A password made, piped or typed twice; never an argument, which ``ps`` would show. Asked for
    once it is sure that there are settings to do something with it. Raises ``CliError``."""
    if generate:
        return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED))
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    read_settings(config)
    if not sys.stdin.isatty():
        raise CliError("no terminal to ask for a password: use --password-stdin or --generate")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def hashed(password: str) -> str:
    """The form in which it is stored. Raises ``CliError`` for one that cannot be used."""
    from mailnode.directory.passwords import hash_new

    try:
        return hash_new(password)
    except ValueError as error:
        raise CliError(str(error)) from None


def rows_of(found: Iterable[Any]) -> list[dict[str, Any]]:
    """Registry rows as plain mappings."""
    return [asdict(row) for row in found]


def print_one(found: Any, name: str, *, as_json: bool, **more: Any) -> None:
    """One row, a field a line. Raises ``CliError`` where there is none."""
    if found is None:
        raise CliError(f"{name}: no such thing here")
    row = {**asdict(found), **more}
    if as_json:
        print_json(row)
        return
    width = max(map(len, row))
    for key, value in row.items():
        shown = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
        typer.echo(f"{key:{width}}  {''.join(c if c.isprintable() else '?' for c in shown)}")


def print_done(text: str, *, as_json: bool, **fields: Any) -> None:
    """What was done: a line for people, or the fields as JSON."""
    if as_json:
        print_json(fields)
    else:
        typer.echo(text)


def confirm(config: Path, question: str, yes: bool) -> None:
    """Ask before something cannot be undone, once it is sure that there are settings to do it
    with. Raises ``CliError``."""
    if not yes:
        read_settings(config)
        typer.confirm(question, abort=True)
