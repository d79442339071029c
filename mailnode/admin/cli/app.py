"""The command tree: every command group is registered here, one line each.

Promises: ``mailnode --help`` imports no room of the server; commands import what they need when
they run. Expected errors are one line and exit status 2.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mailnode import __version__
from mailnode.admin.cli import (
    admins,
    alias,
    bench,
    cluster,
    demo,
    doctor,
    domain,
    importing,
    mailbox,
    queue,
    quickstart,
    serve,
    sharing,
    store,
)
from mailnode.admin.cli.frame import CliError
from mailnode.model.errors import MailnodeError

app = typer.Typer(
    name="mailnode",
    help="A mail server in one program: SMTP, IMAP and POP3 over Maildirs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.add_typer(serve.config_app, name="config")
app.command("demo")(demo.demo)
app.command("quickstart")(quickstart.quickstart)
app.command("doctor")(doctor.doctor)
app.command("import")(importing.import_mail)
app.add_typer(domain.app, name="domain")
app.add_typer(domain.alias_app, name="alias-domain")
app.add_typer(mailbox.app, name="mailbox")
app.add_typer(alias.app, name="alias")
app.command("passwd")(mailbox.passwd)
app.add_typer(mailbox.app_password_app, name="app-password")
app.add_typer(admins.app, name="admin")
app.add_typer(sharing.acl_app, name="acl")
app.add_typer(sharing.public_app, name="public")
app.add_typer(store.app, name="store")
app.add_typer(queue.app, name="queue")
app.add_typer(cluster.app, name="cluster")
app.command("bench", context_settings=bench.SETTINGS)(bench.bench)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mailnode {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of the ``mailnode`` command."""
    try:
        # Not standalone: what is wrong with the command line is told in our way, on one line.
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Abort:
        typer.echo("mailnode: given up", err=True)
        sys.exit(1)
    except typer.TyperException as error:
        _fail(" ".join(error.format_message().split()).rstrip(".") + "; see --help")
    except CliError as error:
        _fail(str(error))
    except MailnodeError as error:
        _fail(str(error) or error.public)
    except BrokenPipeError:  # the reader of our output has gone, as with "| head"
        sys.stderr.close()
        sys.exit(1)


def _fail(text: str) -> None:
    for line in text.splitlines():
        typer.echo(f"mailnode: {line}", err=True)
    sys.exit(2)
