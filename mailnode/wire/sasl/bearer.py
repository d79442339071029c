"""OAUTHBEARER and XOAUTH2: an access token instead of a password.

Promises: every input ends in a value, none in an exception; the token is in no challenge.
RFC: 7628 3 (OAUTHBEARER), 5801 4 (its gs2 header), 6750 2.1 (tokens); XOAUTH2 as Google made it.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod

from mailnode.wire.sasl.steps import MALFORMED, Challenge, Heard, Step, Token, as_text

# RFC 7628 3.1: key "=" value, each ended by %x01, one more %x01 at the end of all.
_PAIRS = re.compile(r"(?:[A-Za-z]+=[\t\n\r -~\x80-\U0010ffff]*\x01)*\x01")
# RFC 5801 4: no channel binding ("p") without a -PLUS name.
_GS2 = re.compile(r"[ny],(?:a=(?P<authzid>[^,\0]+))?,\x01")
# RFC 6750 2.1 "b64token"; RFC 9110 11.1: the scheme in any case.
_BEARER = re.compile(r"bearer +(?P<token>[A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


class _Bearer(ABC):
    """What both have in common: one message, and another only after a refusal."""

    name = ""

    def __init__(self) -> None:
        self._refused = False

    def step(self, response: bytes | None) -> Step:
        """An empty challenge first if there was no initial response."""
        if self._refused:
            # RFC 7628 3.2.3: whatever it says to the error, a kvsep or nothing.
            return Heard()
        if response is None:
            return Challenge(b"")
        text = as_text(response)
        found = None if text is None else self._parse(text)
        return found or MALFORMED

    @abstractmethod
    def _parse(self, text: str) -> Token | None:
        """The token in a client's message, if it is one."""

    def refuse(self, status: str, scope: str, configuration: str) -> Step:
        """RFC 7628 3.2.2: say why in JSON. ``status`` is invalid_token or insufficient_scope."""
        self._refused = True
        told = {"status": status, "scope": scope, "openid-configuration": configuration}
        return _json_challenge(told)


class OauthBearer(_Bearer):
    """RFC 7628 3.1: gs2 header, then pairs, of which only ``auth`` counts here."""

    name = "OAUTHBEARER"

    def _parse(self, text: str) -> Token | None:
        head = _GS2.match(text)
        if head is None or not _PAIRS.fullmatch(text, head.end()):
            return None
        token = _token_of(text[head.end() :])
        user = _unescaped(head["authzid"] or "")
        return None if token is None or user is None else Token(user, token, self.name)


class Xoauth2(_Bearer):
    """``user=`` and ``auth=``, in this order."""

    name = "XOAUTH2"

    def _parse(self, text: str) -> Token | None:
        if not _PAIRS.fullmatch(text) or not text.startswith("user="):
            return None
        user, token = text[5:].partition("\x01")[0], _token_of(text)
        return None if token is None or not user else Token(user, token, self.name)

    def refuse(self, status: str, scope: str, configuration: str) -> Step:
        """Clients of XOAUTH2 look for an HTTP status."""
        self._refused = True
        code = "403" if status == "insufficient_scope" else "401"
        return _json_challenge({"status": code, "schemes": "bearer", "scope": scope})


def _json_challenge(told: dict[str, str]) -> Challenge:
    return Challenge(json.dumps({key: value for key, value in told.items() if value}).encode())


def _token_of(pairs: str) -> str | None:
    """The token of the one ``auth`` pair."""
    values = [pair[5:] for pair in pairs.split("\x01") if pair[:5].lower() == "auth="]
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return found["token"] if found else None


def _unescaped(name: str) -> str | None:
    """RFC 5801 4 "saslname": ``=2C`` and ``=3D`` only."""
    if "=" in name.replace("=2C", "").replace("=3D", ""):
        return None
    return name.replace("=2C", ",").replace("=3D", "=")
