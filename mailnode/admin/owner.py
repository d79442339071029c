"""Files that a command makes or rewrites belong to whom the service runs as.

Promises: root's commands leave nothing in a store or spool that the service may not read; what
the command does afterwards, it does as that account.
Fails: ``OSError`` where the folder cannot be looked at.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from mailnode.runtime.privileges import RunAs


def become_owner(folder: Path) -> None:
    """As root, become the owner of ``folder``, for good; nothing to do for anybody else, for
    a folder of root's, or for one that is not there."""
    if os.geteuid() != 0:
        return
    try:
        owner = folder.stat()
    except FileNotFoundError:
        return
    if owner.st_uid != 0:
        RunAs(_name(owner.st_uid), owner.st_uid, owner.st_gid).drop()


def unreadable(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Those of the files that the owner of ``folder`` may not read, as far as we can tell: only
    root can. Call it where no other thread opens files."""
    owner = folder.stat() if os.geteuid() == 0 and folder.exists() else None
    if owner is None or owner.st_uid == 0:
        return []
    groups, mine = os.getgroups(), os.getegid()
    try:
        os.setgroups(_groups(owner.st_uid, owner.st_gid))
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        return [path for path in paths if not _can_read(path)]
    finally:
        os.seteuid(0)
        os.setegid(mine)
        os.setgroups(groups)


def _can_read(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True


def _groups(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]


def _name(uid: int) -> str:
    """A number without a name is in no groups but its own."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
