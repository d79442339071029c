"""``python -m bench deliver`` with sizes, sessions, recipients … of one's own choice."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import replace

from bench.ours import ours, ours_on_mysql
from bench.plan import Scenario
from bench.scenarios import deliver, submit
from bench.scenarios.deliver import SPARE_USERS, Load
from bench.scenarios.submit import Manner

_KIB, _MIB = 1024, 1024 * 1024
_SIZES = {"": 1, "b": 1, "kib": _KIB, "mib": _MIB}
# Without a number of messages: as many as are this much in all, within bounds.
_VOLUME, _FEWEST, _MOST = 400 * _MIB, 20, 2000
# On a connection that is kept.
_KEPT = 20
_NAMES = ("size", "sessions", "recipients", "mailboxes", "messages", "tls", "keep", "policy")
_NO_POLICY = (
    "--policy on: mailnode has no SPF, DKIM and DMARC checks yet that could be switched on;"
    " there is --policy off"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What ``deliver`` alone takes."""
    group = parser.add_argument_group("of deliver alone")
    add = group.add_argument
    add("--size", type=size_of, help="of a message, 1KiB to 20MiB; default 4KiB")
    add("--sessions", type=_whole(1, 500), help="at a time, 1 to 500; default 20")
    add("--recipients", type=_whole(1, 100), help="of each message, 1 to 100; default 1")
    add("--mailboxes", type=_whole(1, 50_000), help="default: another one for each message")
    add("--messages", type=_whole(1, 50_000), help="default: 400 MiB, but 20 to 2000")
    add("--tls", action="store_true", help="by clients of our own, for some seconds")
    add("--keep", action="store_true", help="many messages on each connection, not one")
    add("--database", choices=("sqlite", "mysql"), help="mailnode's users; default sqlite")
    add("--policy", choices=("on", "off"), help="SPF, DKIM and DMARC checks; default off")


def size_of(text: str) -> int:
    """Octets of ``4096``, ``4KiB`` or ``20MiB``."""
    found = re.fullmatch(r"(\d{1,9})\s*([A-Za-z]*)", text)
    unit = _SIZES.get(found[2].lower()) if found else None
    size = int(found[1]) * unit if found and unit else 0
    if not _KIB <= size <= 20 * _MIB:
        raise argparse.ArgumentTypeError(f"{text!r} is no size from 1KiB to 20MiB")
    return size


def _whole(least: int, most: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
        return int(text)

    return whole


def asked(options: argparse.Namespace) -> bool:
    """Whether any of these options was used."""
    return bool(options.database) or any(getattr(options, name) for name in _NAMES)


def scenario(options: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[str, Scenario]:
    """The scenario that was asked for, and its name. Ends the program when it cannot be."""
    if options.policy == "on":
        parser.error(_NO_POLICY)
    load = load_of(options)
    if load.mailboxes and load.mailboxes < load.recipients:
        parser.error(f"{load.recipients} recipients need as many mailboxes, not {load.mailboxes}")
    if load.copies > 100_000 or load.copies * load.size > 20_000 * _MIB:
        parser.error("more than 100000 copies or 20000 MiB: fewer --messages or --recipients")
    users = (load.mailboxes or load.copies) + SPARE_USERS
    seconds = max(4.0, load.copies / 60, load.copies * load.size / _MIB / 20)
    if options.tls:
        if options.messages:
            parser.error("--tls goes on for some seconds: no --messages with it")
        manner = Manner(
            load.name, load.sessions, login=False, messages=_KEPT if load.keep else 1,
            size=load.size, recipients=load.recipients, mailboxes=load.mailboxes,
        )  # fmt: skip
        users = max(load.sessions, load.recipients, load.mailboxes) + SPARE_USERS
        found = Scenario(
            lambda _: users, lambda server, _: [submit.run(server, manner)], seconds=30
        )
    else:
        found = Scenario(lambda _: users, lambda server, _: [deliver.run(server, load)], seconds)
    mine = ours_on_mysql if options.database == "mysql" else ours
    return load.name, replace(found, scales=False, mine=mine)


def load_of(options: argparse.Namespace) -> Load:
    """The options with what stands for those that were not given."""
    size, recipients = options.size or 4 * _KIB, options.recipients or 1
    usual = max(_FEWEST, min(_MOST, _VOLUME // (size * recipients)))
    load = Load(
        "", options.messages or usual, size=size, sessions=options.sessions or 20,
        recipients=recipients, mailboxes=options.mailboxes or 0, keep=options.keep,
    )  # fmt: skip
    return replace(load, name=_name(load, options))


def _name(load: Load, options: argparse.Namespace) -> str:
    parts = [f"deliver {load.size} B", f"{load.sessions} sessions"]
    parts += [f"{load.recipients} recipients"] if load.recipients > 1 else []
    parts += [f"{load.mailboxes} mailboxes"] if load.mailboxes else []
    parts += [word for word in ("tls", "keep") if getattr(options, word)]
    return ", ".join([*parts, *([options.database] if options.database else [])])
