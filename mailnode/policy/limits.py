"""The built-in limits on connections, messages and recipients.

RFC: 5321 4.5.3.1.10 (452 for too many recipients), 9422 (announced as LIMITS).
"""

from __future__ import annotations

from mailnode.model.status import Outcome, Verdict
from mailnode.policy import Question, Stage
from mailnode.runtime.settings.smtp import SmtpSettings

_BUSY = Outcome(Verdict.LATER, "4.3.2", "too many connections, try again later")
_PEER_BUSY = Outcome(Verdict.LATER, "4.7.0", "too many connections from your address")
_MESSAGES = Outcome(Verdict.LATER, "4.7.0", "enough messages on one connection, connect anew")
_RECIPIENTS = Outcome(Verdict.LATER, "4.5.3", "too many recipients, send the rest separately")


class CountLimits:
    """Counts against the settings."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings

    async def judge(self, question: Question) -> Outcome | None:
        """See ``Policy``."""
        settings = self._settings
        if question.stage is Stage.RCPT:
            return _RECIPIENTS if question.recipients >= settings.max_recipients else None
        if question.stage is Stage.MAIL:
            return _MESSAGES if question.messages >= settings.max_messages_per_connection else None
        if question.stage is Stage.CONNECT:
            if question.connections > settings.max_connections:
                return _BUSY
            if question.peer_connections > settings.max_connections_per_peer:
                return _PEER_BUSY
        return None
