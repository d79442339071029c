"""``mailnode admin``: who may log in to PostfixAdmin."""

from __future__ import annotations

from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_rows
from mailnode.admin.cli.registered import (
    FromStdin,
    Generate,
    Yes,
    confirm,
    hashed,
    new_password,
    print_done,
    print_one,
    registered,
    rows_of,
)

app = typer.Typer(no_args_is_help=True, help="Administrators, as PostfixAdmin knows them.")

Name = Annotated[str, typer.Argument(metavar="ADDRESS", help="The administrator's login.")]
Domains = Annotated[
    list[str] | None, typer.Option("--domain", "-d", help="Rules this domain; may be repeated.")
]


@app.command("add")
def add(
    config: Config, name: Name, domains: Domains = None,
    superadmin: Annotated[bool, typer.Option("--superadmin", help="Rules all domains.")] = False,
    generate: Generate = False, password_stdin: FromStdin = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make an administrator of some domains, or of all."""
    if not domains and not superadmin:
        raise CliError("give --domain DOMAIN, or --superadmin")
    password = new_password(config, generate, password_stdin)
    stored = hashed(password)
    registered(
        config,
        lambda reg: reg.add_admin(name, stored, superadmin=superadmin, domains=domains or ()),
    )
    fields = {"username": name, "done": "added", **({"password": password} if generate else {})}
    shown = f"; password: {password}" if generate else ""
    print_done(f"{name}: added{shown}", as_json=as_json, **fields)


@app.command("list")
def list_admins(config: Config, as_json: AsJson = False) -> None:
    """All administrators."""
    rows = rows_of(registered(config, lambda reg: reg.admins()))
    print_rows(rows, ("username", "superadmin", "active", "domains"), as_json=as_json)


@app.command("show")
def show(config: Config, name: Name, as_json: AsJson = False) -> None:
    """One administrator."""
    found = [row for row in registered(config, lambda reg: reg.admins()) if row.username == name]
    print_one(found[0] if found else None, name, as_json=as_json)


@app.command("edit")
def edit(
    config: Config, name: Name, domains: Domains = None,
    superadmin: Annotated[bool | None, typer.Option("--superadmin/--no-superadmin")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    generate: Generate = False, password_stdin: FromStdin = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what is given, leave the rest; --domain replaces all domains."""
    fresh = (
        new_password(config, generate, password_stdin)
        if password or generate or password_stdin
        else ""
    )
    stored = hashed(fresh) if fresh else None
    registered(
        config,
        lambda reg: reg.edit_admin(
            name, stored=stored, active=active, superadmin=superadmin, domains=domains
        ),
    )
    fields = {"username": name, "done": "changed", **({"password": fresh} if generate else {})}
    shown = f"; password: {fresh}" if generate else ""
    print_done(f"{name}: changed{shown}", as_json=as_json, **fields)


@app.command("delete")
def delete(config: Config, name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove an administrator."""
    confirm(config, f"Delete the administrator {name}?", yes)
    registered(config, lambda reg: reg.delete_admin(name))
    print_done(f"{name}: deleted", as_json=as_json, username=name, done="deleted")
