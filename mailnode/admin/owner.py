"""Files that a command makes or rewrites belong to whom the service runs as.

Promises: root's commands leave nothing in a store or spool that the service may not read; what
the command does afterwards, it does as that account.
Fails: ``OSError`` where the folder cannot be looked at.
"""

from __future__ import annotations

import os
import pwd
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


def _name(uid: int) -> str:
    """A number without a name is in no groups but its own."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
