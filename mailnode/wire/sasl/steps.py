"""What a SASL exchange asks of its caller, or ends in.

Promises: passwords and tokens are in no ``repr``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
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


@dataclass(frozen=True, slots=True)
class Certified:
    """The client says that its certificate is enough; act as ``authzid`` (empty: as whoever the
    certificate is for)."""

    authzid: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Token:
    """Judge this access token of ``user`` (empty: of whomever it is for). Tell a refusal by
    ``Dialog.refuse``, for the client is to hear why."""

    user: str
    token: str
    mechanism: str

    def __repr__(self) -> str:
        return f"Token({self.user!r}, mechanism={self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class Heard:
    """The client has heard why its token was refused."""


class SaslFault(Enum):
    """Why an exchange ended without credentials."""

    UNKNOWN = "no such mechanism"
    CANCELLED = "authentication cancelled"
    MALFORMED = "invalid authentication data"
    TOO_LONG = "authentication data too long"
    TOO_MANY_STEPS = "authentication takes too many steps"
    BINDING = "no such channel binding here"


@dataclass(frozen=True, slots=True)
class SaslFailure:
    """The exchange is over; ``fault.value`` may be shown to the client."""

    fault: SaslFault


Step = Challenge | Credentials | KeysWanted | Proof | Certified | Token | Heard | SaslFailure
MALFORMED = SaslFailure(SaslFault.MALFORMED)


class Exchange(Protocol):
    """One run of a mechanism. ``step`` until the answer is no ``Challenge``."""

    name: str

    def step(self, response: bytes | None) -> Step:
        """The client's next octets; ``None`` only at the start, without initial response."""


def as_text(raw: bytes) -> str | None:
    """RFC 4616 2: names and passwords are UTF-8; anything else can be none we know."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
