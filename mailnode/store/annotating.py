"""Annotations of an account: of its folders, of itself, and of names that are only parents.

A parent without a folder has no directory for a file of its own: such names' annotations lie
together in ``mailnode.parent-annotations``, in the format of ``notes``, each entry's name behind
its folder's and a NUL. They move into the folder that is made under the name, go along when it is
renamed, and are forgotten when nothing is below the name any more.
Fails: ``NoSuchFolder``, and what ``notes`` says.
Locks: writing is done under the account's lock; reading needs none.
RFC: 5464 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailnode.model.errors import NoSuchFolder
from mailnode.store import names, notes
from mailnode.store.home import Home
from mailnode.store.notes import Entries

_PARENTS_FILE = b"/mailnode.parent-annotations"


def read(home: Home, name: str, user: str) -> dict[str, bytes]:
    """What ``user`` may see of a folder's annotations; with no name, of the account's own."""
    try:
        entries = notes.read(_path(home, name))
    except NoSuchFolder:
        if not _is_parent(home, name):
            raise
        entries = _of_parents(home).get(names.canonical(name), {})
    return notes.visible(entries, user)


def change(
    home: Home, name: str, user: str, changes: Mapping[str, bytes | None], limit: int
) -> bool:
    """Set or remove annotations, all or none. True if a folder's are other ones now."""
    with home.lock():
        try:
            path = _path(home, name)
        except NoSuchFolder:
            if not _is_parent(home, name):
                raise
            kept, known = _of_parents(home), names.canonical(name)
            after = notes.altered(kept.get(known, {}), user, changes, limit)
            _keep(home, {**kept, known: after})
            return False
        return notes.change(path, user, changes, limit) and bool(name)


def copy(home: Home, source: str, target: str) -> None:
    """Give the folder ``target`` what ``source`` has."""
    noted = notes.read(_path(home, source))
    if noted:
        with home.lock():
            notes.write(_path(home, target), noted)


def made(home: Home, name: str) -> None:
    """Under the account's lock: a folder was made, perhaps where only a parent was."""
    noted = _of_parents(home).get(name)
    if noted:
        notes.write(_path(home, name), noted)
    settle(home)


def settle(home: Home, old: str = "", new: str = "") -> None:
    """Under the account's lock: folders were deleted, or those from ``old`` on are called ``new``
    now."""
    kept = _of_parents(home)
    if kept:
        renamed = {_followed(name, old, new): noted for name, noted in kept.items()}
        _keep(home, renamed)


def _followed(name: str, old: str, new: str) -> str:
    return new + name[len(old) :] if old and f"{name}/".startswith(f"{old}/") else name


def _path(home: Home, name: str) -> bytes:
    if not name:
        return home.path + notes.SERVER_FILE
    return home.folder_path(home.disk_name(name)) + notes.FOLDER_FILE


def _is_parent(home: Home, name: str) -> bool:
    below = names.canonical(name) + "/"
    return any(other.startswith(below) for other in home.disk_names())


def _of_parents(home: Home) -> dict[str, Entries]:
    kept: dict[str, Entries] = {}
    for (user, name), value in notes.read(home.path + _PARENTS_FILE).items():
        folder, _, entry = name.partition("\0")
        kept.setdefault(folder, {})[user, entry] = value
    return kept


def _keep(home: Home, kept: Mapping[str, Entries]) -> None:
    known = home.disk_names()
    flat = {
        (user, f"{name}\0{entry}"): value
        for name, noted in kept.items()
        if name not in known and _is_parent(home, name)
        for (user, entry), value in noted.items()
    }
    path = home.path + _PARENTS_FILE
    if flat != notes.read(path):
        notes.write(path, flat)
