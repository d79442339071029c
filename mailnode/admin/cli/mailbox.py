"""``mailnode mailbox``, ``passwd`` and ``app-password``: people who have mail here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_json, print_rows, read_settings
from mailnode.admin.cli.registered import (
    FromStdin,
    Generate,
    OnlyDomain,
    Yes,
    confirm,
    hashed,
    new_password,
    print_done,
    print_one,
    registered,
    rows_of,
)
from mailnode.admin.cli.sizes import parse_size, show_size

app = typer.Typer(no_args_is_help=True, help="People who have mail here.")
app_password_app = typer.Typer(no_args_is_help=True, help="Passwords for single programs.")

User = Annotated[str, typer.Argument(metavar="ADDRESS", help="Such as user@example.org.")]
FullName = Annotated[str | None, typer.Option("--name", help="The person's name.")]
Quota = Annotated[
    int | None,
    typer.Option(
        "--quota",
        metavar="SIZE",
        parser=parse_size,
        help="Size of the mailbox, such as 500M or 1.5G (powers of 1024); 0 without limit.",
    ),
]
QuotaMb = Annotated[
    int | None,
    typer.Option("--quota-mb", min=0, help="The same in PostfixAdmin's MB (quota_multiplier)."),
]
Smtp = Annotated[bool | None, typer.Option("--smtp/--no-smtp", help="May send mail.")]


@app.command("add")
def add(
    config: Config, user: User, name: FullName = None, quota: Quota = None,
    quota_mb: QuotaMb = None, smtp: Smtp = None,
    generate: Generate = False, password_stdin: FromStdin = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a mailbox."""
    password = new_password(config, generate, password_stdin)
    stored = hashed(password)
    limit = _limit(config, quota, quota_mb) or 0
    registered(
        config,
        lambda reg: reg.add_mailbox(
            user, stored, name=name or "", quota_bytes=limit, smtp_active=smtp is not False
        ),
    )
    _tell(user, "added", password if generate else "", as_json)


@app.command("list")
def list_mailboxes(config: Config, domain: OnlyDomain = None, as_json: AsJson = False) -> None:
    """All mailboxes, or those of a domain."""
    rows = rows_of(registered(config, lambda reg: reg.mailboxes(domain)))
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            **row,
            "used": show_size(row["used_bytes"]),
            "quota": show_size(row["quota_bytes"] or None),
        }
        for row in rows
    ]
    columns = ("username", "name", "active", "used", "quota", "messages")
    print_rows(shown, columns, as_json=False)


@app.command("show")
def show(config: Config, user: User, as_json: AsJson = False) -> None:
    """One mailbox."""
    print_one(registered(config, lambda reg: reg.mailbox(user)), user, as_json=as_json)


@app.command("edit")
def edit(
    config: Config, user: User, name: FullName = None, quota: Quota = None,
    quota_mb: QuotaMb = None, smtp: Smtp = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what is given, leave the rest."""
    limit = _limit(config, quota, quota_mb)
    registered(
        config,
        lambda reg: reg.edit_mailbox(
            user, name=name, quota_bytes=limit, active=active, smtp_active=smtp
        ),
    )
    _tell(user, "changed", "", as_json)


@app.command("delete")
def delete(config: Config, user: User, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take no more mail for someone. Mail already stored stays on disk."""
    confirm(config, f"Delete the mailbox {user}?", yes)
    registered(config, lambda reg: reg.delete_mailbox(user))
    _tell(user, "deleted", "", as_json)


def passwd(
    config: Config, user: User, generate: Generate = False, password_stdin: FromStdin = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change the password of a mailbox."""
    if registered(config, lambda reg: reg.mailbox(user)) is None:
        raise CliError(f"{user} is not a mailbox here; see `mailnode mailbox list`")
    password = new_password(config, generate, password_stdin)
    stored = hashed(password)
    registered(config, lambda reg: reg.set_password(user, stored))
    _tell(user, "password changed", password if generate else "", as_json)


@app_password_app.command("add")
def add_app_password(
    config: Config, user: User,
    description: Annotated[str, typer.Argument(help="Which program it is for.")],
    password_stdin: FromStdin = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a password for one program; it is printed once and cannot be shown again."""
    password = new_password(config, not password_stdin, password_stdin)
    stored = hashed(password)
    registered(config, lambda reg: reg.add_app_password(user, stored, description))
    _tell(user, "app password added", "" if password_stdin else password, as_json)


@app_password_app.command("list")
def list_app_passwords(config: Config, user: User, as_json: AsJson = False) -> None:
    """The app passwords of a mailbox."""
    rows = rows_of(registered(config, lambda reg: reg.app_passwords(user)))
    print_rows(rows, ("id", "description"), as_json=as_json)


@app_password_app.command("delete")
def delete_app_password(
    config: Config, user: User,
    number: Annotated[int, typer.Argument(metavar="ID", help="As `app-password list` shows.")],
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make an app password useless."""
    registered(config, lambda reg: reg.delete_app_password(user, number))
    _tell(user, "app password deleted", "", as_json)


def _limit(config: Path, size: int | None, quota_mb: int | None) -> int | None:
    """Bytes of whichever was given."""
    if size is not None and quota_mb is not None:
        raise CliError("give --quota or --quota-mb, not both")
    if quota_mb is None:
        return size
    return quota_mb * read_settings(config).directory.quota_multiplier


def _tell(user: str, done: str, password: str, as_json: bool) -> None:
    fields = {"username": user, "done": done}
    if password:
        fields["password"] = password
    text = f"{user}: {done}" + (f"; password: {password}" if password else "")
    print_done(text, as_json=as_json, **fields)
