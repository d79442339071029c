"""``mailnode cluster status|monitor|drain|undrain|takeover``: the nodes in a person's hands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailnode.admin.cli.frame import (
    AsJson,
    CliError,
    Config,
    print_json,
    print_rows,
    read_settings,
)

if TYPE_CHECKING:
    from mailnode.runtime.settings.load import Settings

_STEP_S = 0.2
# What the table shows, and how the columns are called there.
_COLUMNS = {
    "node": "node",
    "state": "state",
    "for": "for",
    "raised": "addresses",
    "directory": "directory",
    "queue": "queue",
    "drained": "drained",
    "heard": "heard",
    "lag_ms": "lag ms",
    "lag_max_ms": "max",
    "lost": "lost",
    "version": "version",
}

Node = Annotated[str, typer.Argument(help="Name of the node. Default: this one.")]
Addresses = Annotated[
    list[str],
    typer.Option("--address", help="Only connections to this address. May be given again."),
]


def status(config: Config, as_json: AsJson = False) -> None:
    """Show nodes, leases, addresses, storage, hints and queues as this node sees them."""
    from mailnode.cluster.standing import standing

    found = standing(read_settings(config), time.time())
    if as_json:
        print_json(found)
        return
    rows = [_row(one, found["node"]) for one in found["nodes"]]
    columns = tuple(_COLUMNS.values())
    print_rows(rows, columns, as_json=False, title=f"seen from {found['node']}")
    for line in _remarks(found):
        typer.echo(line)


def _row(node: dict[str, Any], here: str) -> dict[str, Any]:
    said = {column: node.get(key) for key, column in _COLUMNS.items()}
    since = node["since_s"]
    said["for"] = "" if since is None else _span(since)
    said["addresses"] = " ".join(node["raised"])
    said["drained"] = node["drained"] if node["drained"] == "all" else " ".join(node["drained"])
    if node["by"]:
        said["state"] = f"{node['state']} by {node['by']}"
    if node["node"] == here:
        said["heard"] = "(here)"
    return said


def _span(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _remarks(found: dict[str, Any]) -> Iterator[str]:
    """What the table has no room for, faults first."""
    for one in found["addresses"]:
        if one["note"]:
            where = f": {', '.join(one['on'])}" if one["on"] else ""
            yield f"ATTENTION: {one['address']} is {one['note']}{where}"
    # A node that stopped or died leaves behind what it served.
    for one in (one for one in found["nodes"] if one["state"] == "serves"):
        yield f"{one['node']} serves {', '.join(one['services']) or 'nothing that is known'}"
    storage, hints = found["storage"], found["hints"]
    yield (
        f"storage {storage['root']}: {storage['kind']} mounted on {storage['mounted']}, locks hold "
        f"for {storage['locks']}, {'shared' if storage['shared'] else 'not shared'}"
    )
    yield (
        f"hints {'on' if hints['on'] else 'off'}, refused {_counts(hints['refused'])}; without "
        f"them changes are seen within {hints['poll_s']:g} s"
    )
    yield f"adopted from dead nodes since the start here: {_counts(found['adopted'])}"


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(found.items())) or "none"


def monitor(
    config: Config,
    level: Annotated[int, typer.Option(min=0, max=100, help="0 shallow, 10 deep.")] = 0,
    within: Annotated[float, typer.Option(help="Seconds to answer in, at most.")] = 8.0,
) -> None:
    """Say whether this node serves: exit status 0 it does, 7 it is not running, 1 it is broken."""
    from mailnode.cluster.probe import look_deep, look_shallow
    from mailnode.runtime.proxies import TrustedProxies

    settings = read_settings(config)
    server = settings.server
    if level >= 10:
        proxies = TrustedProxies(settings.cluster.trusted_proxies)
        verdict = look_deep(server.run_dir, server.mail_dir, within_s=within, proxies=proxies)
    else:
        verdict = look_shallow(server.run_dir)
    typer.echo(verdict.reason)
    raise typer.Exit(verdict.status)


def drain(
    config: Config,
    node: Node = "",
    address: Addresses = [],  # noqa: B006  typer copies it
    within: Annotated[
        float, typer.Option(help="Wait so many seconds for this node's connections to end.")
    ] = 0.0,
) -> None:
    """End connections between transactions and turn new ones away, until ``undrain``.

    Exit status 1 when some were left after the time given.
    """
    from mailnode.cluster.drain import add_drain

    settings = _shared(config)
    name = node or settings.server.node
    add_drain(settings.server.mail_dir, name, address)
    what = ", ".join(address) or "all addresses"
    if name != settings.server.node or not within:
        typer.echo(f"{name} drains {what}")
        return
    left = _wait_drained(settings, set(address), within)
    typer.echo(f"{name} drained {what}; connections left: {left}")
    raise typer.Exit(1 if left else 0)


def _wait_drained(settings: Settings, addresses: set[str], within_s: float) -> int:
    """Connections left when the time is over; 0 at once when nothing runs."""
    from mailnode.cluster.beat import beats

    end = time.monotonic() + within_s
    while True:
        workers = [one for one in beats(settings.server.run_dir) if one.kind == "worker"]
        left = sum(_left(one.facts, addresses) for one in workers)
        if not left or time.monotonic() >= end:
            return left
        time.sleep(_STEP_S)


def _left(facts: dict[str, Any], addresses: set[str]) -> int:
    told, sessions = facts.get("drain"), facts.get("sessions", {})
    if not addresses:
        return int(sum(sessions.values())) + (0 if told is True else 1)
    heard = told is True or addresses <= set(told or ())
    # A worker that has not heard of it yet is not done.
    return int(sum(sessions.get(one, 0) for one in addresses)) + (0 if heard else 1)


def undrain(config: Config, node: Node = "", address: Addresses = []) -> None:  # noqa: B006  typer copies it
    """Serve again what was drained. What was drained as a whole is served as a whole."""
    from mailnode.cluster.drain import end_drain

    settings = _shared(config)
    name = node or settings.server.node
    left = end_drain(settings.server.mail_dir, name, address)
    if left.everything:
        typer.echo(f"{name} is drained as a whole: undrain it without --address")
        return
    typer.echo(f"{name} serves {', '.join(address) or 'all addresses'}")


def takeover(
    config: Config,
    node: Annotated[str, typer.Argument(help="Name of the node that is dead.")],
    fenced: Annotated[
        bool,
        typer.Option(
            "--fenced", help="I made sure that it is switched off: do not wait for its lock."
        ),
    ] = False,
    within: Annotated[
        float, typer.Option(help="Wait so many seconds for its queue to be delivered.")
    ] = 0.0,
) -> None:
    """Take the lease of a dead node, so that this node works off its queue."""
    settings = _shared(config)
    root, mine = settings.server.mail_dir, settings.server.node
    if node == mine:
        raise CliError(f"{node} is this node")
    _take(root, node, mine, fenced)
    typer.echo(f"the lease of {node} is taken")
    if within:
        left = _wait_queue(settings, node, within)
        typer.echo(f"entries left in its queue: {left}")
        raise typer.Exit(1 if left else 0)


def _take(root: Path, node: str, mine: str, fenced: bool) -> None:
    from mailnode.cluster.layout import known_nodes
    from mailnode.cluster.lease import adopt_lease, declare_dead

    if node not in known_nodes(root):
        raise CliError(f"{node}: no such node; see `mailnode cluster status`")
    adoption = adopt_lease(root, node, by=mine, now=time.time())
    if adoption is not None:
        adoption.close()
        return
    if not fenced:
        raise CliError(
            f"{node} holds its lease: it lives, or the storage has not recovered its lock yet. "
            "If you made sure that it is switched off, say --fenced"
        )
    declare_dead(root, node, by=mine, now=time.time())


def _wait_queue(settings: Settings, node: str, within_s: float) -> int:
    from mailnode.cluster.standing import standing

    end = time.monotonic() + within_s
    while True:
        nodes = standing(settings, time.time())["nodes"]
        left = next((int(one["queue"]) for one in nodes if one["node"] == node), 0)
        if not left or time.monotonic() >= end:
            return left
        time.sleep(_STEP_S)


def _shared(config: Path) -> Settings:
    """Settings whose mail root is there. Raises ``CliError``."""
    from mailnode.model.errors import StorageGone
    from mailnode.store.guard import read_guard

    settings = read_settings(config)
    try:
        read_guard(settings.server.mail_dir)
    except StorageGone as error:
        raise CliError(f"{settings.server.mail_dir}: {error}; mount the mail storage") from None
    return settings
