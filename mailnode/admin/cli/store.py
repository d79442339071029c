"""``mailnode store``: look after what is on the disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_json, print_rows, read_settings

app = typer.Typer(no_args_is_help=True, help="Check and repair mailboxes on disk.")

_COLUMNS = ("account", "folder", "invariant", "detail", "repaired")


@app.command("check")
def check(
    config: Config,
    users: Annotated[
        list[str] | None, typer.Argument(help="Users to look at; all when none is given.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is found; loses no message.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every invariant of the store; exit status 1 when something is (still) wrong."""
    from mailnode.admin.stored import check_accounts

    settings = read_settings(config)
    accounts, findings = check_accounts(settings, users or [], repair=repair)
    rows = [asdict(finding) for finding in findings]
    if as_json:
        print_json({"accounts": accounts, "findings": rows})
    elif rows:
        print_rows(rows, _COLUMNS, as_json=False, title=f"{accounts} accounts checked")
    else:
        typer.echo(f"{accounts} accounts checked, nothing wrong")
    raise typer.Exit(1 if any(not finding.repaired for finding in findings) else 0)


@app.command("export-dovecot")
def export_dovecot(
    config: Config,
    user: Annotated[str, typer.Argument(help="Whose folders.")],
    as_json: AsJson = False,
) -> None:
    """Write dovecot-uidlist files, so that Dovecot keeps our UIDs when it takes over.

    Stop mailnode for this user first: what arrives afterwards is not in the lists.
    """
    from mailnode.admin.stored import export_for_dovecot

    written = export_for_dovecot(read_settings(config), user)
    print_rows(written, ("folder", "messages", "file"), as_json=as_json)


@app.command("skip-uids")
def skip_uids(
    config: Config,
    by: Annotated[
        int,
        typer.Option(min=1, max=10**8, help="More than were given out since the copy was made."),
    ] = 1_000_000,
) -> None:
    """After an older copy took the place of the mail root (a backup that was read back, a second
    site): leave out UIDs that were given out meanwhile and that clients may remember."""
    from mailnode.admin.stored import skip_uids as skip
    from mailnode.model.errors import MailnodeError

    settings = read_settings(config)
    try:
        folders = skip(settings, by)
    except MailnodeError as error:
        raise CliError(f"{settings.server.mail_dir}: {error}") from None
    typer.echo(f"{folders} folders leave {by} UIDs out")


@app.command("init")
def init(
    config: Config,
    folder: Annotated[
        Path | None, typer.Argument(help="The mail root; the one in the settings by default.")
    ] = None,
) -> None:
    """Mark a folder as mail root, once, after its storage is mounted."""
    from mailnode.admin.setup import make_mail_root

    root = folder or read_settings(config).server.mail_dir
    try:
        made = make_mail_root(root)
    except OSError as error:
        raise CliError(f"{root}: {error.strerror}") from None
    typer.echo(f"{root}: {'made a mail root' if made else 'is a mail root already'}")
