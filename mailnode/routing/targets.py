"""Alias targets as PostfixAdmin keeps them, read into addresses.

RFC: 5321 4.1.2 (quoted local parts).
"""

from __future__ import annotations

from mailnode.model.address import Address


def parse_target(raw: str, alias: Address, origin: str) -> Address | None:
    """One target of ``alias``; ``None`` where it names nobody.

    ``@domain`` keeps the alias's own local part; a target without domain is in ``origin``.
    """
    local, found, domain = raw.rpartition("@")
    if not found:
        local, domain = raw, origin or alias.domain
    elif not local:
        local = alias.local
    local = _unquoted(local)
    domain = domain.lower().rstrip(".")
    return Address(local, domain) if local and domain else None


def _unquoted(local: str) -> str:
    if len(local) < 2 or not (local.startswith('"') and local.endswith('"')):
        return local
    plain, escaped = "", False
    for char in local[1:-1]:
        if char == "\\" and not escaped:
            escaped = True
            continue
        plain += char
        escaped = False
    return plain


def is_autoreply(target: Address, alias: Address, vacation_domain: str) -> bool:
    """Whether the target is PostfixAdmin's vacation robot: ``user#domain@autoreply.domain``.

    Such targets are left out: nothing is delivered there.
    """
    user, found, domain = target.local.lower().rpartition("#")
    if not (found and user and "." in domain):
        return False
    if vacation_domain and target.domain == vacation_domain.lower():
        return True
    return target.domain.startswith("autoreply.") or target.local.lower() == (
        f"{alias.local}#{alias.domain}".lower()
    )


def without_extension(address: Address, delimiters: str) -> Address:
    """``user+ext@d`` as ``user@d``, at the first of the delimiters; the same if there is none."""
    places = [place for place in map(address.local.find, delimiters) if place > 0]
    return Address(address.local[: min(places)], address.domain) if places else address


def with_extension(target: Address, of: Address, delimiters: str) -> Address:
    """``target`` with the extension of ``of`` carried over, unless it has one itself."""
    bare = without_extension(of, delimiters)
    extension = of.local[len(bare.local) :]
    if not extension or without_extension(target, delimiters) != target:
        return target
    return Address(target.local + extension, target.domain)
