"""``mailnode quickstart DOMAIN``: set a real machine up and say which DNS records to add."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, print_json
from mailnode.admin.dns import Record, records_for

_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
)


def quickstart(
    domain: Annotated[str, typer.Argument(help="Mail domain, such as example.org.")],
    hostname: Annotated[
        str, typer.Option(help="Name of this server in DNS; mail.DOMAIN by default.")
    ] = "",
    address: Annotated[
        list[str] | None,
        typer.Option(help="Public IP address for the DNS records; may be given twice."),
    ] = None,
    user: Annotated[
        str, typer.Option(help="First mailbox; gets mail for postmaster and abuse too.")
    ] = "postmaster",
    database: Annotated[
        str,
        typer.Option(
            help="Existing database, such as mysql://user@127.0.0.1/postfix?password_file=/path; "
            "an embedded SQLite one by default."
        ),
    ] = "",
    root: Annotated[
        Path, typer.Option(help="Put every file below this folder (for images and trials).")
    ] = Path("/"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing settings file (kept as .old).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set this machine up: account, folders, settings, database, first mailbox, systemd unit."""
    from mailnode.admin.setup import Machine, fill_directory, own_addresses

    domain = domain.rstrip(".").lower()
    if not _DOMAIN.fullmatch(domain):
        raise CliError(f"{domain}: not a domain name; write one like example.org")
    host = (hostname or f"mail.{domain}").rstrip(".").lower()
    machine = Machine(root, host)
    try:
        notes = machine.prepare(database, force=force)
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}; run it as root") from None
    mailbox = user if "@" in user else f"{user}@{domain}"
    password = secrets.token_urlsafe(12)
    made = asyncio.run(fill_directory(machine.config, domain, [mailbox], password))
    machine.hand_over()
    records = records_for(domain, host, address or own_addresses())
    if as_json:
        print_json(
            {
                "config": str(machine.config),
                "mailbox": mailbox,
                "password": password if made else None,
                "dns": [record.line() for record in records],
                "notes": notes,
            }
        )
        return
    _tell(machine.config, mailbox, password if made else "", records, notes)


def _tell(
    config: Path, mailbox: str, password: str, records: Sequence[Record], notes: Sequence[str]
) -> None:
    """What was made, what to add to DNS, what to do next."""
    typer.echo(f"Settings   {config}")
    typer.echo(f"Mailbox    {mailbox}")
    typer.echo(f"Password   {password or '(the mailbox was there already)'}")
    typer.echo("\nAdd to the DNS zone, and a PTR record for each address at your provider:\n")
    for record in records:
        typer.echo(f"{record.line():<78} ; {record.why}")
    typer.echo("\nNext:")
    for note in [*notes, "`mailnode doctor` tells whether all is well"]:
        typer.echo(f"- {note}")
