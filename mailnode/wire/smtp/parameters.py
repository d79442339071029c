"""ESMTP parameters of MAIL and RCPT.

Promises: only known parameters with well-formed values come out; each at most once.
RFC: 5321 4.1.1.11, 1870 (SIZE), 6152 (BODY), 6531 (SMTPUTF8), 3461 (RET ENVID NOTIFY ORCPT),
4954 5 (AUTH=), 8689 (REQUIRETLS).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailnode.wire.smtp.reply import BAD_PARAMETER, UNKNOWN_PARAMETER, Reply

_PARAMETER = re.compile("([A-Za-z0-9][A-Za-z0-9-]{0,31})(?:=([!-<>-~\u0080-\U0010ffff]{1,1024}))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_XCHAR = re.compile(r"\+([0-9A-F]{2})")
_ORCPT = re.compile("([A-Za-z0-9-]{1,64});([!-<>-~\u0080-\U0010ffff]+)")
# RFC 6533 3: utf-8-addr-xtext escapes characters as \x{HEX}.
_UNITEXT = re.compile(r"\\x\{([0-9A-F]{1,6})\}")
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})


@dataclass(frozen=True, slots=True)
class MailParameters:
    """What MAIL said besides the sender. ``size`` is octets, 0 when not declared."""

    size: int = 0
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    auth: str = ""
    require_tls: bool = False


@dataclass(frozen=True, slots=True)
class RcptParameters:
    """What RCPT said besides the recipient (RFC 3461 4.1, 4.2)."""

    notify: frozenset[str] = frozenset()
    orcpt: str = ""


NO_MAIL_PARAMETERS = MailParameters()
NO_RCPT_PARAMETERS = RcptParameters()


def parse_mail_parameters(raw: bytes, offered: frozenset[str]) -> MailParameters | Reply:
    """Parameters of MAIL; ``offered`` names the keywords announced in this session."""
    if not raw:
        return NO_MAIL_PARAMETERS
    found = _parse(raw, offered, _MAIL)
    return found if isinstance(found, Reply) else MailParameters(**found)  # type: ignore[arg-type]  # each parser gives its field's type


def parse_rcpt_parameters(raw: bytes, offered: frozenset[str]) -> RcptParameters | Reply:
    """Parameters of RCPT; ``offered`` as for MAIL."""
    if not raw:
        return NO_RCPT_PARAMETERS
    found = _parse(raw, offered, _RCPT)
    return found if isinstance(found, Reply) else RcptParameters(**found)  # type: ignore[arg-type]  # as above


_Parser = Callable[[str | None], object]
# keyword -> (EHLO keyword that offers it, field, parser; the parser gives None for a bad value)
_Table = dict[str, tuple[str, str, _Parser]]


def _parse(raw: bytes, offered: frozenset[str], table: _Table) -> dict[str, object] | Reply:
    try:
        words = raw.decode("utf-8").split(" ")
    except UnicodeDecodeError:
        return BAD_PARAMETER
    values: dict[str, object] = {}
    for word in filter(None, words):
        found = _PARAMETER.fullmatch(word)
        if found is None:
            return BAD_PARAMETER
        known = table.get(found[1].upper())
        # RFC 5321 4.1.1.11: 555 for a parameter that was not offered.
        if known is None or known[0] not in offered:
            return UNKNOWN_PARAMETER
        value = known[2](found[2])
        if value is None or known[1] in values:
            return BAD_PARAMETER
        values[known[1]] = value
    return values


def decode_xtext(text: str) -> str | None:
    """RFC 3461 4: the text behind ``+HH`` escapes; ``None`` when it is not xtext."""
    if not _XTEXT.fullmatch(text):
        return None
    decoded = _XCHAR.sub(lambda m: chr(int(m[1], 16)), text)
    # Whatever is printed into a report later must not bring its own line ends.
    return decoded if decoded.isprintable() else None


def _size(value: str | None) -> int | None:
    # RFC 1870 4: 1*20DIGIT
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 21 else None


def _body(value: str | None) -> str | None:
    # RFC 6152 2; BINARYMIME is not offered.
    word = (value or "").upper()
    return word if word in ("7BIT", "8BITMIME") else None


def _flag(value: str | None) -> bool | None:
    return True if value is None else None


def _ret(value: str | None) -> str | None:
    word = (value or "").upper()
    return word if word in ("FULL", "HDRS") else None


def _envid(value: str | None) -> str | None:
    # RFC 3461 4.4: at most 100 characters of xtext.
    if not value or len(value) > 100:
        return None
    return decode_xtext(value)


def _auth(value: str | None) -> str | None:
    # RFC 4954 5: xtext mailbox or <>; we trust no one's word and only check the form.
    if not value or len(value) > 500:
        return None
    return decode_xtext(value)


def _notify(value: str | None) -> frozenset[str] | None:
    words = (value or "").upper().split(",")
    if words == ["NEVER"]:
        return frozenset(words)
    # RFC 3461 4.1: NEVER stands alone; others at most once each.
    if len(set(words)) != len(words) or not _NOTIFY.issuperset(words):
        return None
    return frozenset(words)


def _orcpt(value: str | None) -> str | None:
    if not value or len(value) > 500:
        return None
    found = _ORCPT.fullmatch(value)
    if found is None:
        return None
    kind, text = found[1].lower(), found[2]
    if kind == "utf-8":
        try:
            decoded: str | None = _UNITEXT.sub(lambda m: chr(int(m[1], 16)), text)
        except (ValueError, OverflowError):
            return None
        decoded = decoded if decoded and decoded.isprintable() else None
    else:
        decoded = decode_xtext(text)
    return f"{kind};{decoded}" if decoded else None


_MAIL: _Table = {
    "SIZE": ("SIZE", "size", _size),
    "BODY": ("8BITMIME", "body", _body),
    "SMTPUTF8": ("SMTPUTF8", "smtputf8", _flag),
    "RET": ("DSN", "ret", _ret),
    "ENVID": ("DSN", "envid", _envid),
    "AUTH": ("AUTH", "auth", _auth),
    "REQUIRETLS": ("REQUIRETLS", "require_tls", _flag),
}
_RCPT: _Table = {
    "NOTIFY": ("DSN", "notify", _notify),
    "ORCPT": ("DSN", "orcpt", _orcpt),
}
