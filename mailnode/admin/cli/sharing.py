"""``mailnode acl`` and ``mailnode public``: mailboxes that several people use."""

from __future__ import annotations

from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, Config, print_rows, read_settings
from mailnode.admin.cli.registered import Yes, confirm, print_done, registered

acl_app = typer.Typer(no_args_is_help=True, help="Who else may use a mailbox, and for what.")
public_app = typer.Typer(no_args_is_help=True, help="Mailboxes of a whole domain.")

Account = Annotated[
    str,
    typer.Argument(metavar="ACCOUNT", help="A user, or @DOMAIN for its public mailboxes."),
]
Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="Such as INBOX or Projects/2027.")]
Identifier = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A user, @DOMAIN, anyone or authenticated; with - in front, rights are taken away "
        "(write -- before it).",
    ),
]
Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="Such as example.org.")]


@acl_app.command("list")
def list_acl(
    config: Config,
    account: Account,
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="All with a list if none is given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """The access control lists of an account; the owner's rights go without saying."""
    from mailnode.admin import sharing

    rows = sharing.show(read_settings(config), account, folder)
    print_rows(rows, ("folder", "identifier", "rights"), as_json=as_json)


@acl_app.command("set")
def set_acl(
    config: Config,
    account: Account,
    folder: Folder,
    identifier: Identifier,
    rights: Annotated[
        str,
        typer.Argument(
            metavar="RIGHTS",
            help="Letters of RFC 4314 (lrswipkxtea); +LETTERS gives more, -LETTERS takes some "
            "(write -- before it).",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Let somebody use a mailbox."""
    from mailnode.admin import sharing

    now = sharing.change(read_settings(config), account, folder, identifier, rights)
    fields = {"account": account, "folder": folder, "identifier": identifier, "rights": now}
    print_done(f"{account} {folder}: {identifier} has {now or 'none'}", as_json=as_json, **fields)


@acl_app.command("delete")
def delete_acl(
    config: Config, account: Account, folder: Folder, identifier: Identifier,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take somebody out of a mailbox's list."""
    from mailnode.admin import sharing

    sharing.remove(read_settings(config), account, folder, identifier)
    fields = {"account": account, "folder": folder, "identifier": identifier, "done": "deleted"}
    print_done(f"{account} {folder}: {identifier} deleted", as_json=as_json, **fields)


@acl_app.command("index")
def index(config: Config, as_json: AsJson = False) -> None:
    """Look through all lists for who shares with whom: after moving here from Dovecot, or when
    files were put back from a backup."""
    from mailnode.admin import sharing
    from mailnode.store import AccountRef

    rows = registered(config, lambda registry: registry.mailboxes())
    refs = [AccountRef(row.username, row.maildir, row.quota_bytes) for row in rows]
    count = sharing.index(read_settings(config), refs)
    print_done(f"{count} accounts looked through", as_json=as_json, accounts=count)


@public_app.command("add")
def add_public(
    config: Config, domain: Domain, folder: Folder,
    rights: Annotated[
        str, typer.Option("--rights", help="What everybody of the domain may do; empty: nothing.")
    ] = "lrs",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a mailbox that everybody of a domain finds."""
    from mailnode.admin import sharing

    sharing.add_public(read_settings(config), domain, folder, rights)
    fields = {"domain": domain, "folder": folder, "rights": rights, "done": "added"}
    print_done(f"{domain} {folder}: added", as_json=as_json, **fields)


@public_app.command("list")
def list_public(config: Config, domain: Domain, as_json: AsJson = False) -> None:
    """The public mailboxes of a domain; for their lists see ``mailnode acl list @DOMAIN``."""
    from mailnode.admin import sharing

    rows = sharing.public_folders(read_settings(config), domain)
    print_rows(rows, ("folder", "messages", "size"), as_json=as_json)


@public_app.command("delete")
def delete_public(
    config: Config, domain: Domain, folder: Folder, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Delete a public mailbox with its mail."""
    from mailnode.admin import sharing

    confirm(config, f"Delete {folder} of {domain} with all its mail?", yes)
    sharing.delete_public(read_settings(config), domain, folder)
    fields = {"domain": domain, "folder": folder, "done": "deleted"}
    print_done(f"{domain} {folder}: deleted", as_json=as_json, **fields)
