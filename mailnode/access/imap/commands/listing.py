"""LIST, LSUB, and LIST's extended forms.

RFC: 3501 6.3.8, 6.3.9; 3348 (CHILDREN); 5258 (LIST-EXTENDED); 5819 (LIST-STATUS); 6154; 8440;
9590.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from typing import NamedTuple

from mailnode.access.imap.commands.acl import my_rights_line, read_rights
from mailnode.access.imap.commands.mailboxes import figures_line, read_statuses
from mailnode.access.imap.commands.metadata import metadata_line, read_annotations
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.list_cache import MAX_FOLDERS, Question
from mailnode.access.imap.patterns import SEPARATOR, Patterns, combined
from mailnode.access.imap.reply import Reply, bad, ok
from mailnode.access.imap.session import Session
from mailnode.store import Account, FolderInfo
from mailnode.wire.imap.ast import Command, List
from mailnode.wire.imap.format import list_line

# Letters of patterns times mailboxes that the event loop may match.
LETTERS_AT_ONCE = 50_000
# RFC 5258 3.5: the selection option that something below the folder met.
CHILD_INFO = b'("CHILDINFO" ("SUBSCRIBED"))'


@dataclass(frozen=True, slots=True)
class Entry:
    """One line to be; ``child_info``: RFC 5258 3.5, something below was selected; ``stands_in``:
    listed for its children only."""

    name: str
    attributes: tuple[str, ...]
    child_info: bool = False
    stands_in: bool = False

    @property
    def is_followed(self) -> bool:
        """Whether what RETURN asks for comes behind it (RFC 5819 2 and 3, 8440 4)."""
        return not (self.stands_in or {"\\Noselect", "\\NonExistent"} & set(self.attributes))


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to choose from, by name."""

    folders: dict[str, FolderInfo]
    subscribed: frozenset[str]

    def parents(self) -> set[str]:
        """Every name that has a folder below it; a subscription is none (RFC 5258 5, 10)."""
        return {parent for name in self.folders for parent in above(name)}


def above(name: str) -> Iterator[str]:
    """The parents of a name, the nearest last."""
    levels = name.split(SEPARATOR)
    return (SEPARATOR.join(levels[:depth]) for depth in range(1, len(levels)))


def read_known(account: Account) -> Known:
    """Blocking."""
    return known_of(*_read(account))


def known_of(folders: list[FolderInfo], subscribed: list[str]) -> Known:
    """What an account tells, in a form to choose from."""
    return Known({info.name: info for info in folders}, frozenset(subscribed))


def _read(account: Account) -> tuple[list[FolderInfo], list[str]]:
    return account.folders(), account.subscriptions()


async def do_list(session: Session, command: Command, args: List) -> Reply:
    """RFC 3501 6.3.8, 5258."""
    # RFC 5258 3: RECURSIVEMATCH goes with an option that selects by name's properties.
    if "RECURSIVEMATCH" in args.select and not args.select & {"SUBSCRIBED", "SPECIAL-USE"}:
        return bad("RECURSIVEMATCH needs another selection option")
    if not args.extended and args.patterns == ("",):
        # RFC 3501 6.3.8: an empty pattern asks for the separator and the reference's root.
        session.out.write(b'* LIST (\\Noselect) "/" ""\r\n')
        return ok("done")
    question = Question(
        args, session.enabled.utf8, *await session.means.pool.brisk(_read, session.owner())
    )
    alone = not (args.status or args.metadata or "MYRIGHTS" in args.returns)
    answer = session.means.lists.of(session.user, question) if alone else None
    if answer is not None:
        session.out.write(answer)
        return ok("done")
    known = known_of(question.folders, question.subscribed)
    entries = await _chosen(session, select_entries, known, args)
    if alone and len(entries) <= MAX_FOLDERS:
        answer = b"".join(_line(b"LIST", entry, session.enabled.utf8) for entry in entries)
        session.means.lists.keep(session.user, question, answer)
        session.out.write(answer)
    else:
        await _send(session, b"LIST", entries, args)
    return ok("done")


async def do_lsub(session: Session, command: Command, args: List) -> Reply:
    """RFC 3501 6.3.9."""
    known = await session.means.pool.brisk(read_known, session.owner())
    await _send(session, b"LSUB", await _chosen(session, select_subscribed, known, args), args)
    return ok("done")


async def _chosen(
    session: Session, choose: Callable[[Known, List], list[Entry]], known: Known, args: List
) -> list[Entry]:
    """What is asked for; in the pool where that takes a while."""
    letters = sum(map(len, args.patterns)) + len(args.reference) * len(args.patterns)
    if letters * len(known.folders.keys() | known.subscribed) > LETTERS_AT_ONCE:
        return await session.means.pool.run(choose, known, args)
    return choose(known, args)


async def _send(session: Session, verb: bytes, entries: Iterable[Entry], args: List) -> None:
    entries = list(entries)
    wanted = [entry.name for entry in entries if entry.is_followed]
    followers = await _followers(session, wanted, args)
    utf8 = session.enabled.utf8
    for entry in entries:
        line = _line(verb, entry, utf8, entry.name in followers.unreadable)
        session.out.write(line + b"".join(followers.lines.get(entry.name, ())))
        await session.out.drain()


def _line(verb: bytes, entry: Entry, utf8: bool, unreadable: bool = False) -> bytes:
    words = [word.encode() for word in entry.attributes]
    if unreadable:
        words.append(b"\\Noselect")  # RFC 9051 6.3.9.2
    info = CHILD_INFO if entry.child_info else b""
    return list_line(words, entry.name, command=verb, utf8=utf8, extended=info) + b"\r\n"


class Followers(NamedTuple):
    """``lines`` that go behind the LIST of each mailbox; ``unreadable``: mailboxes that have no
    STATUS to be told."""

    lines: dict[str, list[bytes]]
    unreadable: Set[str]


async def _followers(session: Session, names: list[str], args: List) -> Followers:
    """What goes behind the LIST of each mailbox, as RETURN asks."""
    lines: dict[str, list[bytes]] = {name: [] for name in names}
    utf8, unreadable = session.enabled.utf8, set[str]()
    if args.status:
        statuses = await read_statuses(session, names)
        unreadable = lines.keys() - statuses.keys()
        for name, status in statuses.items():
            lines[name].append(figures_line(session, name, status, args.status))
    if "MYRIGHTS" in args.returns:
        for name, rights in (await read_rights(session, names)).items():
            lines[name].append(my_rights_line(name, rights, utf8))  # RFC 8440 3
    if args.metadata:
        for name, notes in (await read_annotations(session, names, args.metadata)).items():
            found = [(entry, notes.get(entry)) for entry in args.metadata]
            lines[name].append(metadata_line(name, found, utf8))
    return Followers(lines, unreadable)


# ---------------------------------------------------------------------- LIST


def select_entries(known: Known, args: List) -> list[Entry]:
    """The answer to LIST, INBOX first, then by name."""
    patterns = _patterns(args)
    by_subscription = "SUBSCRIBED" in args.select
    names = set(known.subscribed) if by_subscription else set(known.folders)
    if "SPECIAL-USE" in args.select:
        names = {name for name in names if _use(known, name)}
    matched = {name for name in names if patterns.matches(name)}
    if len(args.patterns) > 1 and not by_subscription:
        matched -= _needless(known, matched)
    deep = "RECURSIVEMATCH" in args.select
    # RFC 5258 3.3: parents that match stand in for selected children that do not.
    extra = _stand_ins(patterns, names - matched) if deep else set[str]()
    order = sorted(matched | extra, key=lambda name: (name != "INBOX", name))
    parents = known.parents()
    # RFC 5258 3.5: CHILDINFO names the selection option; SPECIAL-USE has none to be named.
    info = _stand_ins(patterns, names) if deep and by_subscription else set[str]()
    return [
        Entry(name, _attributes(known, parents, name, args), name in info, name not in matched)
        for name in order
    ]


def _needless(known: Known, matched: set[str]) -> set[str]:
    """RFC 5258 3, example 11: mere parents of mailboxes that are all listed themselves."""
    there = {name for name, info in known.folders.items() if info.selectable}
    needed = {parent for name in there - matched for parent in above(name)}
    return matched - there - needed


def _patterns(args: List) -> Patterns:
    return Patterns(combined(args.reference, text) for text in args.patterns)


def _stand_ins(patterns: Patterns, names: set[str]) -> set[str]:
    return set(filter(patterns.matches, {parent for name in names for parent in above(name)}))


def _use(known: Known, name: str) -> str:
    info = known.folders.get(name)
    return info.special_use if info is not None else ""


def _attributes(known: Known, parents: set[str], name: str, args: List) -> tuple[str, ...]:
    found = []
    info = known.folders.get(name)
    if info is None:
        # RFC 5258 3: \NonExistent implies \Noselect.
        found.append("\\NonExistent")
    elif not info.selectable:
        # RFC 3501 7.2.2: a mere parent; clients without RFC 5258 know only \Noselect.
        found.append("\\NonExistent" if args.extended else "\\Noselect")
    # RFC 3348, 5258 4: told always, it costs nothing.
    found.append("\\HasChildren" if name in parents else "\\HasNoChildren")
    if name in known.subscribed and ("SUBSCRIBED" in args.select | args.returns):
        found.append("\\Subscribed")
    if info is not None and info.special_use:
        found.append(info.special_use)
    return tuple(found)


def listed_line(known: Known, name: str, *, utf8: bool, extended: bytes = b"") -> bytes:
    """An untagged LIST with all that is known of a name (RFC 5465 5.4, 5.5)."""
    args = List("", (), returns=frozenset({"SUBSCRIBED"}), extended=True)
    words = [word.encode() for word in _attributes(known, known.parents(), name, args)]
    return list_line(words, name, utf8=utf8, extended=extended) + b"\r\n"


# ---------------------------------------------------------------------- LSUB


def select_subscribed(known: Known, args: List) -> list[Entry]:
    """The answer to LSUB."""
    patterns = _patterns(args)
    entries = {}
    for name in known.subscribed:
        if patterns.matches(name):
            entries[name] = Entry(name, ())
    # RFC 3501 6.3.9: with "%", a parent that is not subscribed itself is told as \Noselect.
    for parent in _stand_ins(patterns, set(known.subscribed)) - entries.keys():
        if any("%" in text for text in args.patterns):
            entries[parent] = Entry(parent, ("\\Noselect",))
    return [entries[name] for name in sorted(entries, key=lambda name: (name != "INBOX", name))]


VERBS = {"LIST": Verb(do_list, KNOWN), "LSUB": Verb(do_lsub, KNOWN)}
