"""From root to the account that mail belongs to.

Promises: after ``drop`` there is no way back, and supplementary groups are the account's own.
Fails: ``BadSettings`` when the account does not exist.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailnode.model.errors import BadSettings


@dataclass(frozen=True, slots=True)
class RunAs:
    """The account to become; ``None`` from ``run_as`` means: stay who we are."""

    user: str
    uid: int
    gid: int

    def own(self, paths: Iterable[Path]) -> None:
        """Give files or folders (not what is in them) to the account."""
        for path in paths:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def drop(self) -> None:
        """Become the account for good, groups first, for a user may not change groups."""
        os.initgroups(self.user, self.gid)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)

    def check_reads(self, paths: Iterable[str | None]) -> None:
        """After ``drop``: raise ``BadSettings`` unless the account can read these files. A program
        in root's own folder would else fail at some later import."""
        for path in filter(None, paths):
            try:
                open(path, "rb").close()
            except OSError as error:
                raise BadSettings(
                    f'[server] user = "{self.user}": cannot read {path} ({error.strerror}); '
                    "install mailnode and its Python where all may read them, such as /opt"
                ) from None


def run_as(user: str, group: str) -> RunAs | None:
    """The account named in the settings. Raises ``BadSettings`` when there is none such,
    or when we may not become it."""
    if not user:
        return None
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise BadSettings(
            f'[server] user = "{user}": no such account; make it with '
            f"`useradd --system --home /var/lib/mailnode {user}`"
        ) from None
    try:
        gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
    except KeyError:
        raise BadSettings(f'[server] group = "{group}": no such group') from None
    if os.geteuid() == entry.pw_uid:
        return None
    if os.geteuid() != 0:
        raise BadSettings(f'[server] user = "{user}": only root can change to it; leave it empty')
    return RunAs(user, entry.pw_uid, gid)
