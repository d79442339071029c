"""Which folder has which special use: what clients said, then what the settings name.

Promises: a use that was given to a folder is taken from all others; no use at all can be said of a
folder, too, and is kept as an empty one.
RFC: 6154 2, 4.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailnode.store import names


def in_effect(
    disks: Mapping[str, bytes], told: Mapping[bytes, str], usual: Mapping[str, str]
) -> dict[str, str]:
    """Uses by folder name. ``disks``: folders' names on disk; ``told``: what clients said of
    these; ``usual``: the settings' folder for each use."""
    uses = {name: told[disk] for name, disk in disks.items() if disk in told}
    for use, name in usual.items():
        if use not in uses.values():
            uses.setdefault(names.canonical(name), use)
    return uses


def given(
    disks: Mapping[str, bytes],
    told: Mapping[bytes, str],
    usual: Mapping[str, str],
    name: str,
    use: str,
) -> dict[bytes, str]:
    """What is told once ``name`` has ``use`` (empty: none)."""
    losers = [other for other, its in in_effect(disks, told, usual).items() if its and its == use]
    return {**told, **{disks[lost]: "" for lost in losers if lost in disks}, disks[name]: use}
