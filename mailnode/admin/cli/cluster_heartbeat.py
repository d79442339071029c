"""``mailnode cluster hand-over``: a planned move under Heartbeat, waited for."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import CliError
from mailnode.cluster.handover import Part
from mailnode.cluster.handover import hand_over as hand_over_until

HB_STANDBY = Path("/usr/share/heartbeat/hb_standby")
CL_STATUS = "cl_status"
# Heartbeat only takes the order; the move itself goes on by itself.
_ORDER_S = 30


def hand_over(
    part: Annotated[
        Part,
        typer.Argument(
            help="all, local (addresses at home here) or foreign (those of the other node: the "
            "way home after it was away)."
        ),
    ] = Part.ALL,
    within: Annotated[float, typer.Option(help="Seconds it may take in all.")] = 90.0,
) -> None:
    """Have Heartbeat move addresses from this node to the other one, and wait until they moved.

    Connections are drained first. Exit status 1 when some are still here after the time given.
    """
    status = _rest()
    if not status:
        raise CliError("Heartbeat does not run here: `cl_status hbstatus` tells more")
    moved = hand_over_until(
        part,
        ask=_rest,
        order=lambda what: order(HB_STANDBY, what),
        within_s=within,
        stop=threading.Event(),
    )
    held = _rest()
    typer.echo(f"this node holds: {held or 'unknown'}")
    raise typer.Exit(0 if moved else 1)


def patiently(command: Path, stop: threading.Event) -> Callable[[float], bool]:
    """Gives everything up within so many seconds; whether nothing is left here."""

    def give_up(within_s: float) -> bool:
        if not _rest():
            # Nothing tells whether it was done.
            return order(command, Part.ALL)
        return hand_over_until(
            Part.ALL,
            ask=_rest,
            order=lambda part: order(command, part),
            within_s=within_s,
            stop=stop,
        )

    return give_up


def holds_something() -> bool:
    """Whether this node has addresses, or may have: nothing tells, or it is being decided."""
    return _rest() != "none"


def order(command: Path, part: Part) -> bool:
    """Whether Heartbeat was told."""
    try:
        done = subprocess.run([str(command), str(part)], check=False, timeout=_ORDER_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _rest() -> str:
    """Heartbeat's word for what this node holds; empty when it says nothing."""
    try:
        done = subprocess.run(
            [CL_STATUS, "rscstatus"], capture_output=True, text=True, check=False, timeout=_ORDER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Without Heartbeat it fails, and tells that on standard output too.
    return "" if done.returncode else done.stdout.strip()
