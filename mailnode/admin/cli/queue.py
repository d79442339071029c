"""``mailnode queue``: what is still owed, and what was set aside."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_json, print_rows, read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mailnode.queue.admin import Listed
    from mailnode.queue.spool import DiskSpool

app = typer.Typer(no_args_is_help=True, help="Messages accepted but not yet stored.")

QueueId = Annotated[str, typer.Argument(metavar="QUEUE_ID", help="As `mailnode queue list` shows.")]


@app.command("list")
def list_queue(config: Config, as_json: AsJson = False) -> None:
    """Everything in the queue, oldest first."""
    from mailnode.queue import admin

    rows = [_row(one) for one in admin.list_queue(_spool(config))]
    columns = ("queue_id", "place", "size", "received", "sender", "owed", "reason")
    print_rows(rows, columns, as_json=as_json)


@app.command("show")
def show(config: Config, queue_id: QueueId, as_json: AsJson = False) -> None:
    """One entry with what is owed to whom."""
    from mailnode.queue import admin

    found = admin.show(_spool(config), queue_id)
    if found is None:
        raise CliError(f"{queue_id}: not in the queue; see `mailnode queue list`")
    row = _row(found)
    if as_json:
        print_json(row)
        return
    for key, value in row.items():
        typer.echo(f"{key:9} {', '.join(value) if isinstance(value, list) else value}")


@app.command("retry")
def retry(
    config: Config,
    queue_id: QueueId,
) -> None:
    """Try an entry now rather than at its time."""
    from mailnode.queue import admin

    _change(queue_id, config, lambda spool: admin.retry_now(spool, queue_id, time.time()))


@app.command("hold")
def hold(
    config: Config,
    queue_id: QueueId,
    reason: Annotated[str, typer.Option(help="Kept with the entry.")] = "held by hand",
) -> None:
    """Set an entry aside; it is not tried until released."""
    from mailnode.queue import admin

    _change(queue_id, config, lambda spool: admin.hold(spool, queue_id, reason))


@app.command("release")
def release(
    config: Config,
    queue_id: QueueId,
) -> None:
    """Try a held entry again."""
    from mailnode.queue import admin

    _change(queue_id, config, lambda spool: admin.release(spool, queue_id, time.time()))


@app.command("remove")
def remove(
    config: Config,
    queue_id: QueueId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw an entry away: its message is lost to those it is owed to."""
    from mailnode.queue import admin

    if not yes:
        read_settings(config)
        typer.confirm(f"Throw {queue_id} away for good?", abort=True)
    _change(queue_id, config, lambda spool: admin.remove(spool, queue_id))


def _spool(config: Path) -> DiskSpool:
    from mailnode.admin.owner import become_owner
    from mailnode.queue.spool import DiskSpool
    from mailnode.runtime.clock import SystemClock
    from mailnode.runtime.maillog import NullLog

    settings = read_settings(config)
    folder = settings.spool_folder
    if not folder.is_dir():
        raise CliError(f"{folder}: no spool there; is server.spool_dir right?")
    become_owner(folder)
    return DiskSpool(folder=folder, settings=settings.queue, clock=SystemClock(), log=NullLog())


def _change(queue_id: str, config: Path, change: Callable[[DiskSpool], bool]) -> None:
    if not change(_spool(config)):
        raise CliError(f"{queue_id}: not in the queue, not in a fit state, or in work right now")
    typer.echo(f"{queue_id}: done")


def _row(one: Listed) -> dict[str, Any]:
    return {
        "queue_id": one.queue_id,
        "place": one.place,
        "size": one.size,
        "received": _when(one.received_at),
        "next_try": _when(one.next_try_at),
        "sender": one.sender,
        "owed": [f"{debt.recipient} -> {debt.user}" for debt in one.debts],
        "reason": one.reason or next((debt.last_reason for debt in one.debts), ""),
    }


def _when(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") if at else ""
