"""``mailnode cluster watch``: gives the addresses up under Heartbeat when mailnode cannot serve,
and has those raised that Heartbeat has forgotten."""

from __future__ import annotations

import os
import signal
import syslog
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailnode.admin.cli.cluster_heartbeat import (
    HB_STANDBY,
    held_here,
    holds_something,
    in_transition,
    obstacle,
    patiently,
    request,
    tell,
)
from mailnode.admin.cli.frame import Config, read_settings

if TYPE_CHECKING:
    from mailnode.cluster.missing import Fetcher, Group
    from mailnode.cluster.standby import Answer
    from mailnode.runtime.settings.load import Settings

HARESOURCES = Path("/etc/ha.d/haresources")
HA_LOG = Path("/var/log/ha-log")
# A move that is under way, and then our own, each with its drain; then we look whether mailnode
# serves meanwhile, as it does when storage hung while a dead node's share was recovered.
_GIVE_UP_S = 30.0
# While a machine boots, Heartbeat may have addresses long before storage is mounted and mailnode
# runs. Later on a watch is new because Heartbeat started anew, as two that met after a cut do: a
# mailnode that does not serve by then is not to be waited for, but for a restart of both.
_BOOTING_S, _BOOT_PATIENCE_S, _PATIENCE_S = 300.0, 60.0, 5.0


def watch(
    config: Config,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.")] = 2.0,
    deep: Annotated[
        float, typer.Option(help="Seconds between looks at ports and storage as well.")
    ] = 10.0,
    within: Annotated[
        float, typer.Option(min=1, help="Seconds that ports and storage get to answer then.")
    ] = 5.0,
    nic: Annotated[
        str, typer.Option(help="Interface of the service addresses: is watched as well.")
    ] = "",
    command: Annotated[
        Path, typer.Option(help="Gives everything to the other node; called with: all.")
    ] = HB_STANDBY,
    resources: Annotated[
        Path, typer.Option(help="Heartbeat's list of addresses and their homes.")
    ] = HARESOURCES,
    log: Annotated[Path, typer.Option(help="Heartbeat's log, as ha.cf names it.")] = HA_LOG,
) -> None:
    """Watch this node's mailnode; when it cannot serve, have Heartbeat move the addresses.

    The same when its clients' interface lost its cable. An address that Heartbeat holds here
    and that is raised nowhere for half a minute is asked for again. A Heartbeat that did not hear
    that its own takeover is complete, and waits for it, is told once more.

    Heartbeat runs it itself (ha.cf: respawn). Pacemaker does not need it.
    """
    from mailnode.cluster.standby import Rhythm, Watcher

    settings = read_settings(config)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    give_up = patiently(command, stop)
    # Beside the rest, for a move that is stuck may be the one that we ordered and wait for.
    threading.Thread(target=_repeat, args=(log, interval, stop), daemon=True).start()

    Watcher(
        ask=_question(settings, within, nic),
        holds=holds_something,
        give_up=lambda: give_up(_GIVE_UP_S),
        say=_say,
        rhythm=Rhythm(
            look_s=interval,
            deep_s=deep,
            answer_s=max(deep, 2 * within),
            patience_s=patience_s(time.clock_gettime(time.CLOCK_BOOTTIME)),
        ),
        tend=_fetcher(resources).look,
    ).run(stop)


def _say(text: str) -> None:
    typer.echo(text, err=True)
    # Heartbeat gives those it starts no place to write to.
    syslog.openlog("mailnode-watch", facility=syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_NOTICE, text)


def _fetcher(resources: Path) -> Fetcher:
    from mailnode.cluster.missing import Fetcher, Patience, read_groups
    from mailnode.runtime.addresses import local_addresses

    groups: tuple[Group, ...] = ()
    try:
        groups = read_groups(resources)
    except FileNotFoundError:
        pass  # no Heartbeat that could forget something
    except OSError as error:
        _say(f"addresses that Heartbeat forgets will not be noticed: {error}")
    return Fetcher(
        me=os.uname().nodename,
        groups=groups,
        held=held_here,
        raised=local_addresses,
        obstacle=obstacle,
        request=request,
        say=_say,
        patience=Patience(),
    )


def _repeat(log: Path, interval_s: float, stop: threading.Event) -> None:
    from mailnode.cluster.unheard import LogTail, Repeater

    repeater = Repeater(lines=LogTail(log), in_transition=in_transition, tell=tell, say=_say)
    while not stop.wait(interval_s):
        repeater.look()


def patience_s(up_s: float) -> float:
    """What a mailnode may take to serve, on a machine that is up for so long."""
    return _BOOT_PATIENCE_S if up_s < _BOOTING_S else _PATIENCE_S


def _question(settings: Settings, within_s: float, nic: str) -> Callable[[int], Answer]:
    from mailnode.cluster.probe import NOT_RUNNING, SERVES, link_fault, look_deep, look_shallow
    from mailnode.cluster.standby import Answer
    from mailnode.runtime.proxies import TrustedProxies

    server = settings.server
    proxies = TrustedProxies(settings.cluster.trusted_proxies)
    meaning = {SERVES: Answer.SERVES, NOT_RUNNING: Answer.NOT_RUNNING}

    def ask(level: int) -> Answer:
        # Heartbeat hears the other node by the other link and sees no reason to move anything.
        if nic and link_fault(nic):
            return Answer.BROKEN
        if level:
            verdict = look_deep(server.run_dir, server.mail_dir, within_s=within_s, proxies=proxies)
        else:
            verdict = look_shallow(server.run_dir)
        return meaning.get(verdict.status, Answer.BROKEN)

    return ask
