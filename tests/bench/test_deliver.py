"""Deliveries of each shape are sent whole and counted: by the load generators of others, where they
are installed, and by clients of our own."""

from __future__ import annotations

import shutil

from bench.ours import ours
from bench.scenarios import deliver, postal, submit
from bench.scenarios.deliver import Load
from bench.scenarios.submit import Manner

LOADS = [
    Load("distinct", 25),
    Load("one mailbox, kept", 25, one_mailbox=True, keep=True),
    Load("the same recipients", 5, recipients=3),
    Load("few mailboxes", 25, mailboxes=3),
    Load("measured again", 20, rounds=3),
    Load("again and again", 25, sessions=4, mailboxes=12, recipients=2, size=70_000),
]


def test_each_shape() -> None:
    with ours(60) as server:
        for load in LOADS if shutil.which("smtp-source") else ():
            result = deliver.run(server, load)
            assert not result.failures, load.name
            assert result.value("delivered and durable") > 0
            assert {len(figure.rounds) for figure in result.figures} == {load.rounds}
        manner = Manner("tls", 3, login=False, messages=2, size=9000, recipients=2, mailboxes=5)
        result = submit.run(server, manner, 1.0)
        assert not result.failures
        assert result.value("delivered and durable") > 0
        for user in server.users[:3]:
            local, _, domain = user.partition("@")
            assert any((server.mail / domain / local / "new").iterdir())
        if shutil.which("postal"):
            assert postal.run(server, 1.0).value("delivered and durable") > 0
