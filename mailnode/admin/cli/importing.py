"""``mailnode import``: mail from a Maildir or an mbox file into a user's folders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_json, read_settings

if TYPE_CHECKING:
    from mailnode.store.importing import Progress as Step


def import_mail(
    config: Config,
    user: Annotated[str, typer.Argument(help="Whose mail it becomes.")],
    source: Annotated[Path, typer.Argument(help="A Maildir (with its sub-folders) or an mbox.")],
    folder: Annotated[
        str,
        typer.Option(help="Folder for it: of an mbox INBOX by default; of a Maildir, a parent."),
    ] = "",
    again: Annotated[
        bool, typer.Option("--again", help="Store everything once more, also what is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import mail, keeping flags, keywords and dates. Run again, it goes on where it stopped."""
    from mailnode.admin.stored import find_mailbox, import_into

    _need(source)
    settings = read_settings(config)
    find_mailbox(settings, user)  # before there is a bar
    last: Step | None = None
    problems: list[str] = []
    try:
        with _bar(quiet=as_json) as show:
            for step in import_into(settings, user, source, folder, again=again):
                show(step)
                problems += step.problems
                last = step
    except ValueError as error:
        raise CliError(str(error)) from None
    except PermissionError as error:
        raise CliError(
            f"{error.filename or source}: {error.strerror}; the owner of the mail root must be "
            "able to read it, even if root imports"
        ) from None
    except OSError as error:
        raise CliError(f"{source}: {error.strerror or error}") from None
    stored, skipped = (last.stored, last.skipped) if last else (0, 0)
    if as_json:
        print_json({"user": user, "stored": stored, "skipped": skipped, "problems": problems})
    else:
        typer.echo(f"{user}: {stored} messages stored, {skipped} were there already")
        for problem in problems:
            typer.echo(f"  {problem}", err=True)
    raise typer.Exit(1 if problems else 0)


def _need(source: Path) -> None:
    try:
        source.stat()
    except FileNotFoundError:
        raise CliError(f"{source}: no such file or folder") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CliError(f"{source}: {reason}") from None


@contextmanager
def _bar(*, quiet: bool) -> Iterator[_Show]:
    """A progress bar on stderr; bytes tell the way, since an mbox does not know its count."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        yield _Show(progress)


class _Show:
    """Moves the bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("import", total=None)

    def __call__(self, step: Step) -> None:
        self._progress.update(
            self._task,
            description=step.folder or "INBOX",
            total=step.bytes_total or None,
            completed=step.bytes_done,
        )
