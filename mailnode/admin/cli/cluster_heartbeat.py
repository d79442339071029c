"""``mailnode cluster hand-over``: a planned move under Heartbeat, waited for."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import CliError
from mailnode.cluster.handover import Part
from mailnode.cluster.handover import hand_over as hand_over_until
from mailnode.cluster.missing import Group

HB_STANDBY = Path("/usr/share/heartbeat/hb_standby")
_REQ_RESOURCE = Path("/usr/share/heartbeat/req_resource")
_PIPE = Path("/var/lib/heartbeat/fifo")
CL_STATUS = "cl_status"
# Heartbeat only takes the order; the move itself goes on by itself.
_ORDER_S = 30
# Long enough for an answer by ARP; arping(8) counts in seconds.
_ASK_S = 2


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
    status = held_here()
    if not status:
        raise CliError("Heartbeat does not run here: `cl_status hbstatus` tells more")
    moved = hand_over_until(
        part,
        ask=held_here,
        order=lambda what: order(HB_STANDBY, what),
        within_s=within,
        stop=threading.Event(),
    )
    held = held_here()
    typer.echo(f"this node holds: {held or 'unknown'}")
    raise typer.Exit(0 if moved else 1)


def patiently(command: Path, stop: threading.Event) -> Callable[[float], bool]:
    """Gives everything up within so many seconds; whether nothing is left here."""

    def give_up(within_s: float) -> bool:
        if not held_here():
            # Nothing tells whether it was done.
            return order(command, Part.ALL)
        return hand_over_until(
            Part.ALL,
            ask=held_here,
            order=lambda part: order(command, part),
            within_s=within_s,
            stop=stop,
        )

    return give_up


def holds_something() -> bool:
    """Whether this node has addresses, or may have: nothing tells, or it is being decided."""
    return held_here() != "none"


def order(command: Path, part: Part) -> bool:
    """Whether Heartbeat was told."""
    return _succeeds([str(command), str(part)], os.environ)


def _succeeds(command: list[str], environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(command, env=environment, check=False, timeout=_ORDER_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def request(group: Group) -> bool:
    """Whether Heartbeat was told once more to raise this group here, as at its start."""
    # As if the other node had agreed, for Heartbeat itself says that the group is held here.
    own = {"HA_CURHOST": os.uname().nodename, "HA_NICEFAILBACK": "yes", "HA_DONTASK": "yes"}
    return _succeeds([str(_REQ_RESOURCE), group.key], os.environ | own)


def tell(message: str) -> bool:
    """Whether Heartbeat's pipe took this message; whole, for it is shorter than PIPE_BUF."""
    try:
        pipe = os.open(_PIPE, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.write(pipe, message.encode()) > 0
    except OSError:
        return False
    finally:
        os.close(pipe)


def in_transition() -> bool:
    """Whether Heartbeat says that something is under way."""
    return held_here() == "transition"


def obstacle(group: Group) -> str:
    """Why the group must not be raised here: another machine answers for it, or nothing tells."""
    four = [one for one in group.addresses if ":" not in one]
    if not four or not group.nic:
        return "haresources tells no IPv4 address with its interface to look for"
    for address in four:
        # RFC 5227 section 2.1.1, so that nobody takes our question for an announcement.
        command = ["arping", "-q", "-D", "-c", str(_ASK_S), "-w", str(_ASK_S), "-I", group.nic]
        try:
            done = subprocess.run([*command, address], check=False, timeout=_ORDER_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"nothing tells whether another machine has it: {error}"
        if done.returncode:
            return f"another machine answers for {address}, or it cannot be asked for"
    return ""


def held_here() -> str:
    """Heartbeat's word for what this node holds; empty when it says nothing."""
    try:
        done = subprocess.run(
            [CL_STATUS, "rscstatus"], capture_output=True, text=True, check=False, timeout=_ORDER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Without Heartbeat it fails, and tells that on standard output too.
    return "" if done.returncode else done.stdout.strip()
