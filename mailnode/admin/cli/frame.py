"""What every command shares: errors, the ``--config`` and ``--json`` options, tables.

Promises: an expected error is one line on stderr and exit status 2, whatever the command;
``--json`` prints one document on stdout and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from mailnode.model.errors import BadSettings

if TYPE_CHECKING:
    from mailnode.runtime.settings.load import Settings

DEFAULT_CONFIG = "/etc/mailnode/mailnode.toml"
# Into a pipe or a file there is no terminal to be as wide as.
_PIPED_WIDTH = 200


def default_config() -> Path:
    """Where settings are looked for when no ``--config`` is given."""
    return Path(os.environ.get("MAILNODE_CONFIG", DEFAULT_CONFIG))


Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        envvar="MAILNODE_CONFIG",
        help="Settings file.",
        default_factory=default_config,
        show_default=DEFAULT_CONFIG,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class CliError(Exception):
    """What the user gave cannot be done; the text is one line that says why and what to do."""


def read_settings(path: Path) -> Settings:
    """The settings file. Raises ``CliError`` with each of its errors."""
    from mailnode.runtime.settings.load import load_settings

    try:
        return load_settings(path)
    except BadSettings as error:
        raise CliError(str(error)) from None


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, title: str = ""
) -> None:
    """A table for people, or the rows as a JSON list."""
    rows = list(rows)
    if as_json:
        print_json(rows)
        return
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")  # an address cut short is of no use
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console()
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    console.print(table, markup=False)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    # A name out of a message or a database must not steer the terminal.
    text = "" if value is None else str(value)
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
