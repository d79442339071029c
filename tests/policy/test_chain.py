"""The chain and the built-in limits."""

from __future__ import annotations

import pytest

from mailnode.model.envelope import Client
from mailnode.model.status import Outcome, Verdict
from mailnode.policy import Chain, Question, Stage
from mailnode.policy.limits import CountLimits
from mailnode.runtime.settings.smtp import SmtpSettings

NO = Outcome(Verdict.NEVER, "5.7.1", "no")


class Rule:
    def __init__(self, answer: Outcome | None) -> None:
        self.answer, self.asked = answer, 0

    async def judge(self, question: Question) -> Outcome | None:
        self.asked += 1
        return self.answer


async def test_the_first_objection_decides() -> None:
    rules = [Rule(None), Rule(NO), Rule(NO)]
    assert await Chain(rules).judge(Question(Stage.MAIL, Client("", 0))) is NO
    assert [rule.asked for rule in rules] == [1, 1, 0]
    assert await Chain().judge(Question(Stage.MAIL, Client("", 0))) is None


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (Question(Stage.RCPT, Client("", 0), recipients=99), None),
        (Question(Stage.RCPT, Client("", 0), recipients=100), "4.5.3"),
        (Question(Stage.MAIL, Client("", 0), messages=3), "4.7.0"),
        (Question(Stage.CONNECT, Client("", 0), connections=5, peer_connections=2), None),
        (Question(Stage.CONNECT, Client("", 0), connections=6, peer_connections=1), "4.3.2"),
        (Question(Stage.CONNECT, Client("", 0), connections=5, peer_connections=3), "4.7.0"),
        (Question(Stage.DATA, Client("", 0), recipients=10**6), None),
    ],
)
async def test_limits(question: Question, code: str | None) -> None:
    settings = SmtpSettings(
        max_recipients=100,
        max_messages_per_connection=3,
        max_connections=5,
        max_connections_per_peer=2,
    )
    outcome = await CountLimits(settings).judge(question)
    assert (outcome.code if outcome else None) == code
