"""``mailnode domain``: the domains whose mail is taken here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mailnode.admin.cli.frame import AsJson, Config, print_rows
from mailnode.admin.cli.registered import Yes, confirm, print_done, print_one, registered, rows_of

app = typer.Typer(no_args_is_help=True, help="Domains whose mail is taken here.")
alias_app = typer.Typer(no_args_is_help=True, help="Domains that are another name for one of ours.")

Name = Annotated[str, typer.Argument(metavar="DOMAIN", help="Such as example.org.")]
Description = Annotated[str | None, typer.Option("--description", help="For people.")]
Aliases = Annotated[int | None, typer.Option("--aliases", min=-1, help="At most so many aliases.")]
Mailboxes = Annotated[
    int | None, typer.Option("--mailboxes", min=-1, help="At most so many; 0 any number, -1 none.")
]
MaxQuota = Annotated[
    int | None, typer.Option("--max-quota-mb", min=0, help="Largest size of one mailbox.")
]
Quota = Annotated[int | None, typer.Option("--quota-mb", min=0, help="Size of all mailboxes.")]
Transport = Annotated[
    str | None, typer.Option("--transport", help="virtual, or relay:HOST for another server.")
]
BackupMx = Annotated[
    bool | None, typer.Option("--backup-mx/--no-backup-mx", help="Only held for another server.")
]
Expiry = Annotated[
    int | None,
    typer.Option("--password-expiry-days", min=0, help="Passwords last so long; 0 for ever."),
]


@app.command("add")
def add(
    config: Config, name: Name, description: Description = None, aliases: Aliases = None,
    mailboxes: Mailboxes = None, max_quota_mb: MaxQuota = None, quota_mb: Quota = None,
    transport: Transport = None, backup_mx: BackupMx = None, password_expiry_days: Expiry = None,
    aliases_to: Annotated[
        str, typer.Option(help="Lead abuse@, hostmaster@, postmaster@ and webmaster@ here.")
    ] = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take mail for a domain."""
    given = _given(
        description=description, aliases=aliases, mailboxes=mailboxes, maxquota_mb=max_quota_mb,
        quota_mb=quota_mb, transport=transport, backupmx=backup_mx,
        password_expiry_days=password_expiry_days,
    )  # fmt: skip
    registered(config, lambda reg: reg.add_domain(name, aliases_to=aliases_to, **given))
    print_done(f"{name}: added", as_json=as_json, domain=name, done="added")
    if not aliases_to and not as_json:
        typer.echo(f"postmaster@{name} must work: make it a mailbox or an alias", err=True)


@app.command("list")
def list_domains(config: Config, as_json: AsJson = False) -> None:
    """All domains."""
    rows = rows_of(registered(config, lambda reg: reg.domains()))
    columns = ("domain", "active", "mailboxes", "aliases", "quota_mb", "transport", "description")
    print_rows(rows, columns, as_json=as_json)


@app.command("show")
def show(config: Config, name: Name, as_json: AsJson = False) -> None:
    """One domain with its limits."""
    print_one(registered(config, lambda reg: reg.domain(name)), name, as_json=as_json)


@app.command("edit")
def edit(
    config: Config, name: Name, description: Description = None, aliases: Aliases = None,
    mailboxes: Mailboxes = None, max_quota_mb: MaxQuota = None, quota_mb: Quota = None,
    transport: Transport = None, backup_mx: BackupMx = None, password_expiry_days: Expiry = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what is given, leave the rest."""
    given = _given(
        description=description, aliases=aliases, mailboxes=mailboxes, maxquota_mb=max_quota_mb,
        quota_mb=quota_mb, transport=transport, backupmx=backup_mx, active=active,
        password_expiry_days=password_expiry_days,
    )  # fmt: skip
    registered(config, lambda reg: reg.edit_domain(name, **given))
    print_done(f"{name}: changed", as_json=as_json, domain=name, done="changed")


@app.command("delete")
def delete(
    config: Config, name: Name, yes: Yes = False,
    with_mailboxes: Annotated[
        bool, typer.Option("--with-mailboxes", help="Delete its mailboxes too.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take no more mail for a domain. Mail already stored stays on disk."""
    confirm(config, f"Delete {name}?", yes)
    registered(config, lambda reg: reg.delete_domain(name, with_content=with_mailboxes))
    print_done(f"{name}: deleted", as_json=as_json, domain=name, done="deleted")


@alias_app.command("add")
def add_alias(
    config: Config, name: Name,
    target: Annotated[str, typer.Argument(help="The domain it is another name for.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make every address of TARGET valid in DOMAIN too."""
    registered(config, lambda reg: reg.add_alias_domain(name, target))
    fields = {"alias_domain": name, "target_domain": target, "done": "added"}
    print_done(f"{name} -> {target}: added", as_json=as_json, **fields)


@alias_app.command("list")
def list_aliases(config: Config, as_json: AsJson = False) -> None:
    """All alias domains."""
    rows = rows_of(registered(config, lambda reg: reg.alias_domains()))
    print_rows(rows, ("alias_domain", "target_domain", "active"), as_json=as_json)


@alias_app.command("delete")
def delete_alias(config: Config, name: Name, yes: Yes = False, as_json: AsJson = False) -> None:
    """End the aliasing; the domain itself stays."""
    confirm(config, f"Delete the alias domain {name}?", yes)
    registered(config, lambda reg: reg.delete_alias_domain(name))
    print_done(f"{name}: deleted", as_json=as_json, alias_domain=name, done="deleted")


def _given(**options: Any) -> dict[str, Any]:
    """Options that were given; switches as PostfixAdmin's columns hold them."""
    return {
        key: int(value) if isinstance(value, bool) else value
        for key, value in options.items()
        if value is not None
    }
