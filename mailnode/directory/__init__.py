"""Who exists? Domains, mailboxes, aliases, credentials.

Promises: an unknown state raises ``DirectoryGone``; it is never taken for "no such user".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.model.scram import ScramKeys


class Unproved(DirectoryGone):
    """Not the password that is remembered; it may have been changed since, which only the database
    could tell."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A user who has mail here.

    ``user`` is the full login address in lower case; ``maildir`` the path below the mail root,
    relative, without leading or trailing slash, already checked not to escape;
    ``quota_bytes`` 0 means unlimited; a disabled (negative) quota reads as unlimited.
    """

    user: str
    maildir: str
    quota_bytes: int
    domain: str
    active: bool = True
    smtp_active: bool = True


class Service(Enum):
    """What a login is for; decides whether ``smtp_active`` counts."""

    SMTP = "smtp"
    IMAP = "imap"
    POP3 = "pop3"
    SIEVE = "sieve"

    @property
    def in_log(self) -> str:
        """What the mail log calls it in all its events: users speak SMTP at submission only."""
        return "submission" if self is Service.SMTP else self.value


class LoginFailure(Enum):
    """Why a login was refused (for the log; a client hears only "authentication failed")."""

    UNKNOWN = "unknown user"
    PASSWORD = "wrong password"
    INACTIVE = "inactive"
    EXPIRED = "password expired"
    SMTP_OFF = "smtp not allowed"
    TOTP = "main password not allowed with two-factor login"
    WEAK = "password scheme not allowed"
    THROTTLED = "too many failures"
    ANOTHER = "wants to act as another user"
    TOKEN = "access token not good"
    TOKEN_OVER = "access token has expired, or its time has not come"
    TOKEN_INACTIVE = "access token not active, as its issuer says"
    TOKEN_FOREIGN = "access token of another issuer or for another audience"
    TOKEN_FORGED = "access token not signed by the issuer"
    TOKEN_NAMELESS = "access token names no user (oauth.username_claim)"
    SCOPE = "access token not meant for mail"


class DomainKind(Enum):
    """How we stand to a domain."""

    LOCAL = "local"
    ALIAS = "alias"
    BACKUP_MX = "backupmx"
    RELAY = "relay"  # its transport column sends it elsewhere
    UNKNOWN = "unknown"


class Directory(Protocol):
    """Read side used by routing, intake and access. All verbs raise ``DirectoryGone``."""

    async def domain(self, name: str) -> DomainKind:
        """How we stand to the domain ``name`` (any case)."""

    async def alias(self, key: str) -> tuple[str, ...] | None:
        """Active alias row for the exact key (``user@d`` or ``@d``), its targets, else ``None``.

        A key in an alias domain is answered by the target domain's row.
        """

    async def mailbox(self, address: Address) -> Mailbox | None:
        """The mailbox of this exact address (through an alias domain too), active or not."""

    async def login(
        self, user: str, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        """Check a password, off the event loop; ``peer`` is the client's IP address."""

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """The user's keys for ``SCRAM-SHA-256`` or ``-SHA-1``; where there are none, always the
        same ones that no password fits."""

    async def admit(
        self, user: str, service: Service, peer: str, *, by_password: bool = True
    ) -> Mailbox | LoginFailure:
        """Judge a user who has proved to know the main password (or, not ``by_password``, who he
        is: its expiry and second factor do not count then); see ``login``."""


class Issuer(Protocol):
    """Who made the access tokens that we take."""

    scope: str
    configuration: str  # where clients find the issuer's OpenID configuration; may be empty

    async def judge(self, token: str) -> str | LoginFailure:
        """The user name in a good token, or why it is not good. Raises ``DirectoryGone`` when
        that cannot be known now."""


class Gate(Protocol):
    """Checks logins, throttles and logs (``directory.gate.LoginGate``). All verbs raise
    ``DirectoryGone``. ``tls``: came under TLS; ``mechanism``: for the log."""

    @property
    def scram(self) -> bool:
        """Are the mechanisms of the SCRAM family offered?"""

    @property
    def issuer(self) -> Issuer | None:
        """Whose access tokens are taken, if any are."""

    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The user's mailbox, or why not."""

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """The user's keys, or some that no password fits."""

    async def proved(
        self, user: str, right: bool, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The mailbox of who has proved to know the password, or why not."""

    async def certified(
        self, names: Sequence[str], user: str, service: Service, peer: str, *, mechanism: str
    ) -> Mailbox | LoginFailure:
        """The mailbox ``user`` (empty: of the first name) of whose certificate has these names."""

    async def token(
        self, user: str, token: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The mailbox ``user`` (empty: whomever it names) of who shows this access token."""
