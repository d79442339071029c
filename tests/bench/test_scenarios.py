"""The IMAP scenarios against mailnode itself, small: what they check of every answer holds."""

from __future__ import annotations

from bench.ours import ours
from bench.result import Result
from bench.scenarios import big_mailbox, fetch, idle, imap_sync


def named(result: Result) -> dict[str, float]:
    assert not result.failures
    return {figure.name: figure.value for figure in result.figures}


def test_each_runs_to_its_end() -> None:
    # Users 0 to 2 are filled from outside, before anybody opens their mailboxes.
    with ours(5) as server:
        three = [server.users[number:] for number in range(3)]
        syncs, fetches, sizes = (
            type(server)(
                server.name, users, server.password, server.services, server.pids, server.mail
            )
            for users in three
        )
        synced = named(imap_sync.run(syncs, 90))
        fetched = named(fetch.run(fetches, 60))
        first, last = big_mailbox.run(sizes, [10, 600], indexed=True)
        pushed = named(idle.run(server, 10, tls=True))
    assert synced["new client"] > 0
    assert synced["client that returns"] > 0
    assert all(fetched[form.name] > 0 for form in fetch.FORMS)
    assert named(first)["SEARCH TEXT"] > 0
    grown = named(last)
    assert grown["SELECT, CPU, 600 to 10"] >= 0
    assert grown["delivery, CPU, 600 to 10"] > 0
    assert pushed["push, slowest 1 %"] > 0
