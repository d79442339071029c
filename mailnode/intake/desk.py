"""What every session of a service shares: role, settings and the rooms behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from mailnode.delivery.handover import Handover
from mailnode.directory import Gate
from mailnode.policy import Chain
from mailnode.routing import Router
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.smtp import SmtpSettings
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import Certificates
from mailnode.wire.smtp.reply import Reply


class Role(Enum):
    """Whom a service is for."""

    MX = "mx"  # other servers: no AUTH, our recipients only
    SUBMISSION = "submission"  # our users: AUTH first, own senders only (RFC 6409)
    LMTP = "lmtp"  # a mail server in front of us: a reply per recipient (RFC 2033)


class Urls(Protocol):
    """What users let be submitted from their mailboxes (RFC 4468)."""

    async def read(self, user: str, text: str) -> bytes | None:
        """The octets behind an authorized URL, for the user who has logged in; ``None`` where
        there is nothing, or nothing for him. Raises ``TemporaryError``."""


class Hello(NamedTuple):
    """The answer to EHLO or LHLO, and the keywords in it."""

    reply: Reply
    offered: frozenset[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """See the module."""

    role: Role
    hostname: str
    settings: SmtpSettings
    router: Router
    gate: Gate
    handover: Handover
    pool: Pool
    certificates: Certificates
    clock: Clock
    log: MailLog
    policy: Chain
    urls: Urls | None = None
    # What ``greeting`` has said already, by what it depends on.
    hellos: dict[tuple[bool, tuple[str, ...], bool], Hello] = field(default_factory=dict)
