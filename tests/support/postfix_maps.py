"""Postfix as a referee for look-ups: asks its MySQL maps and follows addresses as it does.

The queries are those of PostfixAdmin's documentation; the order is that of virtual(5): each form of
an address in turn.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from mailnode.model.address import Address
from mailnode.routing.targets import with_extension, without_extension

POSTMAP = shutil.which("postmap", path="/usr/sbin:/usr/bin") or ""
MISSING = "Postfix with MySQL maps is NOT installed (apt-get install postfix-mysql)"
_CONFIGURED = Path("/etc/postfix")


def _through(column: str, table: str, key: str, local: str) -> str:
    return (
        f"SELECT {column} FROM {table}, alias_domain WHERE alias_domain.alias_domain = '%d' "
        f"AND {table}.{key} = CONCAT({local}'@', alias_domain.target_domain) "
        f"AND {table}.active = 1 AND alias_domain.active = 1"
    )


_QUERIES = {
    "domains": "SELECT domain FROM domain WHERE domain='%s' AND backupmx = 0 AND active = 1",
    "relays": "SELECT domain FROM domain WHERE domain='%s' AND backupmx = 1 AND active = 1",
    "aliases": "SELECT goto FROM alias WHERE address='%s' AND active = 1",
    "alias-domains": _through("goto", "alias", "address", "'%u', "),
    "catch-alls": _through("goto", "alias", "address", ""),
    "mailboxes": "SELECT maildir FROM mailbox WHERE username='%s' AND active = 1",
    "alias-mailboxes": _through("maildir", "mailbox", "username", "'%u', "),
}


def installed() -> bool:
    """Whether Postfix is there, and can ask MySQL."""
    maps = [*_CONFIGURED.glob("dynamicmaps.cf"), *_CONFIGURED.glob("dynamicmaps.cf.d/*")]
    return bool(POSTMAP) and any("mysql" in file.read_text() for file in maps)


class PostfixMaps:
    """Maps over the database ``name`` behind ``socket``, configured in ``folder``."""

    def __init__(self, folder: Path, socket: Path, name: str) -> None:
        self._folder = folder
        self._answers: dict[str, dict[str, str]] = {kind: {} for kind in _QUERIES}
        (folder / "main.cf").write_text("compatibility_level = 3.6\n")
        for found in _CONFIGURED.glob("dynamicmaps.cf*"):
            copy = shutil.copytree if found.is_dir() else shutil.copy
            copy(found, folder / found.name)
        for kind, query in _QUERIES.items():
            where = f"hosts = unix:{socket}\nuser = root\npassword =\ndbname = {name}\n"
            (folder / kind).write_text(f"{where}query = {query}\n")

    def resolve(self, asked: Iterable[str]) -> dict[str, set[str]]:
        """Where mail to each address goes: maildirs, and addresses of other servers; nowhere where
        it is refused."""
        addresses = {one: _address(one) for one in asked}
        return {
            one: self._arrived(self._ends(address)) if self._is_ours(address) else set()
            for one, address in addresses.items()
        }

    def _is_ours(self, address: Address) -> bool:
        return any(self._ask(kind, address.domain) for kind in ("domains", "relays"))

    def _ends(self, start: Address) -> set[Address]:
        waiting, seen, ends = [start], {start}, set[Address]()
        while waiting:
            address = waiting.pop()
            # What is kept differently: rows of a domain that is switched off are not followed.
            targets = self._targets(address) if self._is_ours(address) else None
            if targets is None or address in targets:
                ends.add(address)
            fresh = {target for target in targets or () if target not in seen | {address}}
            seen |= fresh
            waiting += fresh
        return ends

    def _targets(self, address: Address) -> list[Address] | None:
        bare = without_extension(address, "+")
        for form in dict.fromkeys((address, bare)):
            goto = self._first(("aliases", "alias-domains"), form.folded)
            if goto:
                found = [_target(one, form) for one in goto.split(",")]
                if form == address:
                    return found
                return [with_extension(one, address, "+") for one in found]
        # What is kept differently: Postfix would ask for catch-alls of alias domains above, too.
        goto = self._ask("aliases", f"@{address.domain}") or self._ask("catch-alls", bare.folded)
        return [_target(one, address) for one in goto.split(",")] if goto else None

    def _arrived(self, ends: Iterable[Address]) -> set[str]:
        arrived = set[str]()
        for end in ends:
            if not self._ask("domains", end.domain):
                arrived.add(end.folded)
                continue
            forms = dict.fromkeys((end, without_extension(end, "+")))
            kinds = ("mailboxes", "alias-mailboxes")
            boxes = (self._first(kinds, form.folded) for form in forms)
            arrived.add(next(filter(None, boxes), "").rstrip("/"))
        return arrived - {""}

    def ask_ahead(self, keys: Iterable[str]) -> None:
        """Ask all maps for many keys at once."""
        lines = "".join(f"{key}\n" for key in keys)
        for kind, answers in self._answers.items():
            done = subprocess.run(
                [POSTMAP, "-c", str(self._folder), "-q", "-", f"mysql:{self._folder / kind}"],
                input=lines.encode(), capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            if done.returncode not in (0, 1) or done.stderr:
                raise RuntimeError(done.stderr.decode())
            answers |= dict.fromkeys(lines.split("\n"), "")
            answers |= dict(line.split("\t", 1) for line in done.stdout.decode().splitlines())

    def _first(self, kinds: Iterable[str], key: str) -> str:
        return next(filter(None, (self._ask(kind, key) for kind in kinds)), "")

    def _ask(self, kind: str, key: str) -> str:
        if key not in self._answers[kind]:
            self.ask_ahead([key])
        return self._answers[kind][key]


def _target(raw: str, alias: Address) -> Address:
    found = _address(raw.strip())
    return found if found.local else Address(alias.local, found.domain)


def _address(text: str) -> Address:
    local, _, domain = text.lower().rpartition("@")
    return Address(local, domain)
