"""``mailnode alias``: addresses that lead to others."""

from __future__ import annotations

from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_rows
from mailnode.admin.cli.registered import (
    OnlyDomain,
    Yes,
    confirm,
    print_done,
    print_one,
    registered,
    rows_of,
)

app = typer.Typer(no_args_is_help=True, help="Addresses that lead to others.")

Name = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The alias; @example.org catches all the rest.")
]
Targets = Annotated[list[str], typer.Argument(metavar="TARGET...", help="Where its mail goes.")]


@app.command("add")
def add(config: Config, name: Name, targets: Targets, as_json: AsJson = False) -> None:
    """Make an alias."""
    registered(config, lambda reg: reg.add_alias(name, targets))
    print_done(f"{name}: added", as_json=as_json, address=name, targets=targets, done="added")


@app.command("list")
def list_aliases(
    config: Config, domain: OnlyDomain = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those every mailbox has for itself.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """All aliases, or those of a domain."""
    rows = rows_of(registered(config, lambda reg: reg.aliases(domain, with_mailboxes=every)))
    print_rows(rows, ("address", "targets", "active", "mailbox"), as_json=as_json)


@app.command("show")
def show(config: Config, name: Name, as_json: AsJson = False) -> None:
    """One alias."""
    print_one(registered(config, lambda reg: reg.alias_row(name)), name, as_json=as_json)


@app.command("edit")
def edit(
    config: Config, name: Name,
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[TARGET...]", help="Replace all targets.")
    ] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Replace the targets, or switch an alias on or off."""
    if not targets and active is None:
        raise CliError("give the new targets, --active or --inactive")
    registered(config, lambda reg: reg.edit_alias(name, targets=targets or None, active=active))
    print_done(f"{name}: changed", as_json=as_json, address=name, done="changed")


@app.command("delete")
def delete(config: Config, name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove an alias."""
    confirm(config, f"Delete the alias {name}?", yes)
    registered(config, lambda reg: reg.delete_alias(name))
    print_done(f"{name}: deleted", as_json=as_json, address=name, done="deleted")
