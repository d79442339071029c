"""Names of mailboxes in any spelling that Unicode has for them.

Promises: a name that is there is taken as it is; costs nothing for names in normal form C.
Fails: what listing the mailboxes fails with.
RFC: 9051 5.1 (servers that put names into normal form take them in any form in every command).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from mailnode.access.imap.commands.listing import Known, read_known
from mailnode.access.imap.patterns import Patterns, combined
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import (
    Args,
    Create,
    List,
    MultiSearch,
    OneMailbox,
    Rename,
    Select,
)
from mailnode.wire.imap.notify_args import Notify

# Patterns of one LIST that are looked up in the form they came in.
LOOKED_AT = 20


async def as_known(session: Session, args: Args) -> Args:
    """The arguments of a client that writes names in UTF-8, with the names the mailboxes have."""
    # CREATE makes a name, and says so.
    if isinstance(args, Create) or all(map(_is_normal, _names(args))):
        return args
    known = await session.means.pool.brisk(read_known, session.owner())
    if isinstance(args, MultiSearch):
        sources = (replace(one, names=_spelt(one.names, known)) for one in args.sources)
        return replace(args, sources=tuple(sources))
    if isinstance(args, Notify):
        groups = (replace(one, names=_spelt(one.names, known)) for one in args.groups)
        return replace(args, groups=tuple(groups))
    if isinstance(args, List):
        return _listed(args, known)
    field, name = _field(args), _one_name(args)
    told = {"asked": name} if isinstance(args, Select) else {}
    (spelt,) = _spelt((name,), known)
    return args if spelt == name else replace(cast(OneMailbox, args), **{field: spelt}, **told)


def _is_normal(name: str) -> bool:
    return name.isascii() or unicodedata.is_normalized("NFC", name)


def _names(args: Args) -> Iterable[str]:
    """Every name in the arguments."""
    if isinstance(args, MultiSearch):
        return (name for one in args.sources for name in one.names)
    if isinstance(args, Notify):
        return (name for one in args.groups for name in one.names)
    if isinstance(args, List):
        return args.reference, *args.patterns
    return (_one_name(args),)


def _field(args: Args) -> str:
    return "old" if isinstance(args, Rename) else "mailbox"


def _one_name(args: Args) -> str:
    name: str = getattr(args, _field(args), "")
    return name


def _spelt(names: tuple[str, ...], known: Known) -> tuple[str, ...]:
    return tuple(
        name
        if name in known.folders or name in known.subscribed
        else unicodedata.normalize("NFC", name)
        for name in names
    )


def _listed(args: List, known: Known) -> List:
    """A pattern stays as it is where it matches something; of many, the first ones."""
    looked = 0
    there = {*known.folders, *known.subscribed}
    patterns = []
    for text in args.patterns:
        whole = combined(args.reference, text)
        normal = unicodedata.normalize("NFC", whole)
        if normal != whole and looked < LOOKED_AT:
            looked += 1
            normal = whole if any(map(Patterns((whole,)).matches, there)) else normal
        patterns.append(normal)
    return replace(args, reference="", patterns=tuple(patterns))
