"""The server side of each SASL mechanism, as a machine of decoded octets.

Promises: passwords are in no ``repr``; every input ends in a value, none in an exception.
RFC: 4422 3, 4616 (PLAIN); LOGIN as draft-murchison-sasl-login and every client know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this (base64-encoded) and give the client's answer to the next step."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the client claims: log in as ``authcid``, act as ``authzid`` (empty: the same)."""

    authcid: str
    authzid: str
    password: str
    mechanism: str

    def __repr__(self) -> str:
        return f"Credentials({self.authcid!r}, {self.authzid!r}, mechanism={self.mechanism!r})"

    @property
    def for_another(self) -> bool:
        """True when the client wants to act as somebody else than whose password it knows."""
        return bool(self.authzid) and self.authzid.lower() != self.authcid.lower()


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """Find the user's keys for this SCRAM mechanism and give them to ``Dialog.keys``."""

    user: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The client has proved that it knows the password of ``authcid``, or (``right`` False) has
    failed to; act as ``authzid`` (empty: the same)."""

    authcid: str
    authzid: str
    mechanism: str
    right: bool

    @property
    def for_another(self) -> bool:
        """True when the client wants to act as somebody else than whose password it knows."""
        return bool(self.authzid) and self.authzid.lower() != self.authcid.lower()


class SaslFault(Enum):
    """Why an exchange ended without credentials."""

    CANCELLED = "authentication cancelled"
    MALFORMED = "invalid authentication data"
    TOO_LONG = "authentication data too long"
    TOO_MANY_STEPS = "authentication takes too many steps"


@dataclass(frozen=True, slots=True)
class SaslFailure:
    """The exchange is over; ``fault.value`` may be shown to the client."""

    fault: SaslFault


Step = Challenge | Credentials | KeysWanted | Proof | SaslFailure
MALFORMED = SaslFailure(SaslFault.MALFORMED)


class Exchange(Protocol):
    """One run of a mechanism. ``step`` until the answer is no ``Challenge``."""

    name: str

    def step(self, response: bytes | None) -> Step:
        """The client's next octets; ``None`` only at the start, without initial response."""


class Plain:
    """RFC 4616: ``[authzid] NUL authcid NUL passwd`` in one message."""

    name = "PLAIN"

    def step(self, response: bytes | None) -> Step:
        """An empty challenge first if there was no initial response."""
        if response is None:
            return Challenge(b"")
        text = _text(response)
        parts = text.split("\0") if text is not None else []
        # RFC 4616 2: exactly two NULs; authcid and passwd are not empty.
        if len(parts) != 3 or not parts[1] or not parts[2]:
            return MALFORMED
        return Credentials(parts[1], parts[0], parts[2], self.name)


class LoginExchange:
    """LOGIN: user and password, each asked for; some clients send the user at once."""

    name = "LOGIN"

    def __init__(self) -> None:
        self._user = ""

    def step(self, response: bytes | None) -> Step:
        """Asks ``Username:`` and ``Password:``, the words that clients wait for."""
        if response is None:
            return Challenge(b"Username:")
        text = _text(response)
        if not text or "\0" in text:
            return MALFORMED
        if not self._user:
            self._user = text
            return Challenge(b"Password:")
        return Credentials(self._user, "", text, self.name)


def _text(raw: bytes) -> str | None:
    # RFC 4616 2: UTF-8; anything else cannot be a password we know.
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


# Where further mechanisms come to: name in upper case and what starts an exchange.
MECHANISMS: Mapping[str, Callable[[], Exchange]] = MappingProxyType(
    {"PLAIN": Plain, "LOGIN": LoginExchange}
)


def server(mechanism: str) -> Exchange | None:
    """A new exchange of the mechanism (any case), ``None`` for one that we do not speak."""
    start = MECHANISMS.get(mechanism.upper())
    return start() if start else None
