"""Reverse and forward paths: bytes to ``Address`` and back.

Promises: what comes out has no brackets, no source route and no quotes; the domain is lower case
ASCII (U-labels become A-labels) without trailing dot. Bounded by the lengths of RFC 5321 4.5.3.1.
RFC: 5321 4.1.2, 4.1.3, 6531 3.3, 5890.
"""

from __future__ import annotations

import ipaddress
import re

import idna

from mailnode.model.address import Address
from mailnode.wire.smtp.reply import BAD_PATH, Reply

# RFC 5321 4.5.3.1.1-3: octets. A path is at most 256 with its brackets.
LOCAL_MAX = 64
DOMAIN_MAX = 255
PATH_MAX = 254

# RFC 5321 deviation: dots may stand anywhere (some mobile carriers made such addresses).
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_DOT_STRING = rf"[.{_ATEXT}]+"
_QUOTED = r'"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*"'
# RFC 5321 deviation: underscores in names are seen in the wild; a root dot is dropped.
_LET_DIG = r"A-Za-z0-9_\u0080-\U0010ffff"
_LABEL = rf"[{_LET_DIG}](?:[{_LET_DIG}\-]{{0,61}}[{_LET_DIG}])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LITERAL = r"\[[!-Z^-~]{2,64}\]"
# RFC 5321 4.1.1.3, appendix C: source routes are accepted and ignored.
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"

_PATH = re.compile(
    rf"<{_ROUTE}(?P<local>{_DOT_STRING}|{_QUOTED})(?:@(?P<domain>{_DOMAIN}|{_LITERAL}))?>"
    r"(?:[ ]+(?P<rest>.*))?",
    re.DOTALL,
)
_UNQUOTE = re.compile(r"\\(.)")
_ATOM = rf"[{_ATEXT}]+"
_PLAIN_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")


def parse_reverse_path(raw: bytes) -> tuple[Address | None, bytes] | Reply:
    """Sender and the raw parameters behind it; ``None`` is the null reverse-path."""
    # RFC 5321 4.5.5: <> is the sender of notifications.
    if raw.startswith(b"<>"):
        rest = raw[2:]
        if rest and not rest.startswith(b" "):
            return BAD_PATH
        return None, rest.strip()
    return parse_forward_path(raw)


def parse_forward_path(raw: bytes) -> tuple[Address, bytes] | Reply:
    """Recipient and the raw parameters behind it.

    The domain is empty for ``<postmaster>`` and other names without one.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return BAD_PATH
    found = _PATH.fullmatch(text)
    if found is None:
        return BAD_PATH
    address = _build(found["local"], found["domain"] or "")
    if address is None:
        return BAD_PATH
    return address, (found["rest"] or "").strip().encode("utf-8")


def parse_address(text: str) -> Address | None:
    """A bare ``local@domain`` as people and settings write it, or ``None``."""
    found = _PATH.fullmatch(f"<{text}>")
    if found is None or not found["domain"] or found["rest"]:
        return None
    return _build(found["local"], found["domain"])


def _build(local: str, domain: str) -> Address | None:
    # RFC 6531 3.3 names non-ASCII only; controls and line separators stay out (they end up in
    # headers and logs).
    if not local.isprintable():
        return None
    # RFC 5321 4.5.3.1: limits are in octets, as sent.
    if len(local.encode()) > LOCAL_MAX + 2 * local.startswith('"'):
        return None
    if local.startswith('"'):
        local = _UNQUOTE.sub(r"\1", local[1:-1])
        if not local:
            return None
    if domain.startswith("["):
        literal = _literal(domain)
        return Address(local, literal) if literal else None
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or len(local.encode()) + 1 + len(ascii_domain) > PATH_MAX:
        return None
    return Address(local, ascii_domain)


def _ascii_domain(domain: str) -> str | None:
    domain = domain.rstrip(".")
    if not domain.isascii():
        # RFC 6531 3.2: a U-label names the same domain as its A-label. RFC 5891 4.2: and only if
        # it is one; mapping alone can make blanks and brackets.
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return domain.lower() if len(domain) <= DOMAIN_MAX else None


def _literal(domain: str) -> str | None:
    inner = domain[1:-1]
    try:
        # RFC 5321 4.1.3: IPv6 literals carry a tag.
        if inner[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(inner[5:])}]"
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError:
        return None


def is_ascii(address: Address) -> bool:
    """True when the address needs no SMTPUTF8."""
    return address.local.isascii()


def format_path(address: Address | None) -> str:
    """The path with brackets, quoted where needed; ``<>`` for the null sender."""
    return f"<{format_address(address)}>" if address is not None else "<>"


def format_address(address: Address) -> str:
    """``local@domain`` as it goes into a path or a trace header."""
    local = address.local
    if not _PLAIN_LOCAL.fullmatch(local):
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        local = f'"{escaped}"'
    return f"{local}@{address.domain}" if address.domain else local
