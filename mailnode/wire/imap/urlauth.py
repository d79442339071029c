"""IMAP URLs that carry the right to read what they name.

Promises: never raises; what is no such URL is ``None``; linear time.
RFC: 4467 3, 9; 5092 6.1, 11 ("iurlauth"); 3339 5.6 (times).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from mailnode.wire.imap.url import MessageUrl, parse_url

INTERNAL = "INTERNAL"
# RFC 4467 8: the first octet of a verifier tells how it was made.
_VERSION = "01"
_REST = re.compile(
    r"(?:;EXPIRE=(?P<expire>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6}\d*)?(?:Z|[+-]\d\d:\d\d)))?"
    r";URLAUTH=(?P<role>anonymous|authuser|(?:submit|user)\+(?P<for>[^;:/?#]+))"
    r"(?P<verifier>:(?P<mechanism>[A-Za-z0-9.-]+):(?P<token>[0-9A-Fa-f]{32,256}))?\Z",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class AuthUrl:
    """``rump`` is the URL up to its verifier, as written; ``owner`` whose mailbox it names;
    ``role`` who may use it (anonymous, authuser, submit, user), ``role_user`` for whom or as whom;
    ``expires`` seconds since the epoch; ``token`` is empty where there is no verifier; ``whole``
    is all of it, as written."""

    rump: str
    message: MessageUrl
    owner: str
    role: str
    role_user: str = ""
    expires: float | None = None
    mechanism: str = ""
    token: str = ""
    whole: str = ""


def parse_auth_url(text: str) -> AuthUrl | None:
    """A whole URL (RFC 4467 3: absolute, with its user), with or without verifier."""
    message = parse_url(text)
    found = _REST.match(message.rest) if message is not None else None
    if message is None or found is None or not message.mailbox:
        return None
    login, at, host = (message.server or "").rpartition("@")
    owner = _decoded(re.split(";AUTH=", login, flags=re.IGNORECASE)[0])
    role_user = _decoded(found["for"] or "")
    expires = _moment(found["expire"]) if found["expire"] else None
    if not (at and host and owner) or role_user is None or (found["expire"] and expires is None):
        return None
    return AuthUrl(
        text[: len(text) - len(found["verifier"] or "")],
        message,
        owner.lower(),
        found["role"].partition("+")[0].lower(),
        role_user.lower(),
        expires,
        (found["mechanism"] or "").upper(),
        (found["token"] or "").lower(),
        text,
    )


def _decoded(text: str) -> str | None:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def verifier(rump: str, key: bytes) -> str:
    """RFC 4467 8: what goes behind the rump, made by INTERNAL."""
    return f":{INTERNAL.lower()}:{_token(rump, key)}"


def _token(rump: str, key: bytes) -> str:
    return _VERSION + hmac.digest(key, rump.encode(), "sha256").hex()


def verified(url: AuthUrl, keys: Iterable[bytes]) -> bool:
    """Whether one of the mailbox's keys made the verifier."""
    if url.mechanism != INTERNAL:
        return False
    # Every key is tried, so that time tells nothing of which came near.
    fits = [hmac.compare_digest(_token(url.rump, key), url.token) for key in keys]
    return any(fits)
