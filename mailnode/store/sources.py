"""Where an import finds its folders: below a Maildir, or a tree of Maildirs.

Maildir++ has its sub-folders beside ``cur`` as ``.Parent.Child``; mutt, mbsync and Dovecot's layout
``fs`` have Maildirs within directories, ``Parent/Child``. Both are found, also mixed.
Promises: no folder is passed over in silence: one whose name cannot be used here gets another, and
symbolic links, which may lead into mail of somebody else, are told and not followed.
Fails: ``ValueError`` where there is no Maildir, ``BadFolderName`` for ``into``, ``OSError``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mailnode.model.errors import BadFolderName
from mailnode.store import names

_PARTS = ("cur", "new", "tmp")
_MAX_DIRECTORIES = 100_000
_UNUSABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff*%/]")
_MAX_LEVEL = 40  # characters of a level of a name that was too long


class Sources(NamedTuple):
    """Maildirs by the name of the folder here, and what a person should look at."""

    folders: dict[str, Path]
    problems: tuple[str, ...]


def find_sources(source: Path, into: str) -> Sources:
    """INBOX goes to ``into`` or INBOX; the others keep their names (below ``into``)."""
    folders, problems = dict[str, Path](), list[str]()
    into = into and names.check_new(into)
    if (source / "cur").is_dir():
        folders[into or names.INBOX] = source
    for path, levels in _walk(source, (), problems, count=[0]):
        wanted = "/".join((into, *levels) if into else levels)
        name = _usable(wanted, os.fsencode(path), folders)
        if name != names.canonical(wanted):
            problems.append(f"{path}: no folder can have this name; its mail went to {name}")
        folders[name] = path
    if not folders:
        raise ValueError(f"{source}: no Maildir (there is no cur/ in it)")
    return Sources(folders, tuple(problems))


def _walk(
    folder: Path, above: tuple[str, ...], problems: list[str], count: list[int]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each Maildir below ``folder`` with the levels of its name."""
    for entry in sorted(folder.iterdir()):
        dotted = entry.name.startswith(".")
        if entry.name in _PARTS or (dotted and above) or not entry.is_dir():
            continue
        if entry.is_symlink():
            if (entry / "cur").is_dir():
                problems.append(f"{entry}: a symbolic link; import it by its own path (--folder)")
            continue
        count[0] += 1
        if count[0] > _MAX_DIRECTORIES:
            raise ValueError(f"{entry}: too many directories; give a Maildir")
        levels = _dotted(entry.name) if dotted else (*above, _decoded(entry.name))
        if (entry / "cur").is_dir():
            yield entry, levels
        if not dotted and len(levels) < names.MAX_LEVELS:
            yield from _walk(entry, levels, problems, count)


def _dotted(name: str) -> tuple[str, ...]:
    found = names.disk_to_folder(os.fsencode(name))
    if found is not None:
        return tuple(found.split("/"))
    return tuple(_decoded(level) for level in name[1:].split("."))


def _decoded(level: str) -> str:
    """Text of modified UTF-7 or, as mutt writes it, of UTF-8; Latin-1 where it is neither."""
    raw = os.fsencode(level)
    try:
        return names.decode_utf7(raw.decode())
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _usable(wanted: str, path: bytes, taken: dict[str, Path]) -> str:
    """``wanted`` if a folder can have this name and none has it yet, or one that is like it and the
    same in each run."""
    mark = hashlib.blake2b(path, digest_size=4).hexdigest()
    levels = [_UNUSABLE.sub("_", level).strip() for level in wanted.split("/")]
    plain = [level for level in levels if level.strip(".")]
    brief = "/".join(plain)[:_MAX_LEVEL].strip(" ./&")
    candidates = (wanted, "/".join(plain), f"{'/'.join(plain)}-{mark}", f"{brief}-{mark}")
    for name in candidates:
        try:
            name = names.check_new(name)
        except BadFolderName:
            continue
        if name not in taken and name != names.INBOX:
            return name
    return f"folder-{mark}"
