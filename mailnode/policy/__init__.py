"""May we take it? Rules asked before a message is accepted.

The seam: intake asks one ``Chain`` at four stages; the first rule with an objection decides.
Rules see facts, never a socket, and answer with an ``Outcome`` that a stranger may read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mailnode.model.address import Address
from mailnode.model.envelope import Client
from mailnode.model.status import Outcome


class Stage(Enum):
    """When a rule is asked."""

    CONNECT = "connect"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Question:
    """What is known at a stage; later stages know more.

    ``connections`` of this service and worker, ``peer_connections`` those of the same peer, this
    one included; ``messages`` taken on this connection, ``recipients`` accepted for this one so
    far; ``size`` in bytes (declared at MAIL, counted at DATA); ``head`` the message's first part.
    """

    stage: Stage
    client: Client
    connections: int = 0
    peer_connections: int = 0
    messages: int = 0
    sender: Address | None = None
    recipient: Address | None = None
    recipients: int = 0
    size: int = 0
    head: bytes = b""


class Policy(Protocol):
    """One rule."""

    async def judge(self, question: Question) -> Outcome | None:
        """An objection (``LATER`` or ``NEVER``), or ``None``. Must not raise for bad input."""


class Chain:
    """Rules in order. An empty chain objects to nothing."""

    def __init__(self, rules: Sequence[Policy] = ()) -> None:
        self._rules = tuple(rules)

    async def judge(self, question: Question) -> Outcome | None:
        """The first objection, or ``None``."""
        for rule in self._rules:
            objection = await rule.judge(question)
            if objection is not None:
                return objection
        return None
