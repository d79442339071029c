"""Guessing is slow, right passwords are not, and every attempt is in the log."""

from __future__ import annotations

import asyncio

import pytest

from mailnode.directory import LoginFailure, Mailbox, Service, Unproved
from mailnode.directory.gate import LoginGate
from mailnode.directory.throttle import Failures, Friends
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.login import LoginSettings
from mailnode.runtime.tally import Tallies
from tests.support.hand_clock import HandClock
from tests.support.table_directory import TableDirectory


class World:
    """A gate with the waiting written down instead of done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
        self.directory = TableDirectory(passwords={"u@a.test": "pw"}, mailboxes={"u@a.test": True})
        self.clock = HandClock()
        self.log = ListLog()
        self.slept: list[float] = []
        chosen = LoginSettings.model_validate(settings)
        self.gate = LoginGate(
            directory=self.directory, settings=chosen, clock=self.clock, log=self.log
        )

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        monkeypatch.setattr("mailnode.directory.gate.asyncio.sleep", sleep)

    async def login(
        self, password: str = "pw", user: str = "u@a.test", peer: str = "192.0.2.1"
    ) -> Mailbox | LoginFailure:
        return await self.gate.login(
            user, password, Service.IMAP, peer, mechanism="PLAIN", tls=True
        )


async def test_both_ends_are_logged_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    assert isinstance(await world.login(), Mailbox)
    assert await world.login("s3cret") is LoginFailure.PASSWORD
    assert world.log.events == [
        (
            Event.LOGIN,
            {
                "service": "imap",
                "peer": "192.0.2.1",
                "user": "u@a.test",
                "mechanism": "PLAIN",
                "tls": True,
            },
        ),
        (
            Event.LOGIN_FAILED,
            {
                "service": "imap",
                "peer": "192.0.2.1",
                "user": "u@a.test",
                "reason": "wrong password",
            },
        ),
    ]


async def test_submission_has_one_name_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    for password in ("pw", "wrong"):
        await world.gate.login(
            "u@a.test", password, Service.SMTP, "192.0.2.1", mechanism="PLAIN", tls=True
        )
    told = [(event, fields["service"]) for event, fields in world.log.events]
    assert told == [(Event.LOGIN, "submission"), (Event.LOGIN_FAILED, "submission")]


async def test_refusals_come_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    for _ in range(8):
        await world.login("no")
    assert world.slept == [1, 2, 4, 8, 15, 15, 15, 15]
    assert isinstance(await world.login(), Mailbox)
    assert len(world.slept) == 8  # the right password waited for nothing
    world.clock.advance(6000)
    await world.login("no")
    assert world.slept[-1] == 1


async def test_a_network_and_a_user_are_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    await world.login("no", user="x@a.test", peer="192.0.2.1")
    await world.login("no", user="y@a.test", peer="192.0.2.1")
    await world.login("no", user="y@a.test", peer="192.0.2.2")
    await world.login("no", user="z@a.test", peer="192.0.2.3")
    assert world.slept == [1, 2, 2, 1]


async def test_ipv6_is_counted_by_network(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    await world.login("no", user="x@a.test", peer="2001:db8::1")
    await world.login("no", user="y@a.test", peer="2001:db8::ffff:2")
    await world.login("no", user="z@a.test", peer="::ffff:192.0.2.1")
    await world.login("no", user="t@a.test", peer="192.0.2.1")
    assert world.slept == [1, 2, 1, 2]


async def test_beyond_the_limit_nobody_looks_but_friends_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, block_network_after=5, max_delay_s=1)
    assert isinstance(await world.login(), Mailbox)
    for i in range(5):
        await world.login("no", user=f"x{i}@a.test")
    world.directory.logins = 0
    assert await world.login("no", user="x9@a.test") is LoginFailure.THROTTLED
    assert world.directory.logins == 0
    assert isinstance(await world.login(), Mailbox)  # logged in from there before
    world.directory.passwords["v@a.test"] = "pw"
    world.directory.mailboxes["v@a.test"] = True
    assert await world.login(user="v@a.test") is LoginFailure.THROTTLED
    assert isinstance(await world.login(user="v@a.test", peer="192.0.2.9"), Mailbox)
    world.clock.advance(6000)
    assert isinstance(await world.login(user="v@a.test"), Mailbox)


async def test_a_user_guessed_from_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, block_user_after=4, max_delay_s=1)
    assert isinstance(await world.login(peer="198.51.100.1"), Mailbox)
    for i in range(4):
        await world.login("no", peer=f"192.0.2.{i}")
    assert await world.login(peer="192.0.2.77") is LoginFailure.THROTTLED
    assert isinstance(await world.login(peer="198.51.100.1"), Mailbox)


async def test_default_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, default_domain="a.test")
    assert isinstance(await world.login(user=" U "), Mailbox)
    assert await world.login(user="") is LoginFailure.UNKNOWN
    assert await world.login(user="x" * 9000) is LoginFailure.UNKNOWN
    assert len(str(world.log.events[-1][1]["user"])) < 400


async def test_a_guess_at_what_is_remembered_is_no_failure_but_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)

    async def guessed(*_: object) -> Mailbox:
        raise Unproved("it may have changed")

    with monkeypatch.context() as without:
        without.setattr(world.directory, "login", guessed)
        with pytest.raises(Unproved):
            await world.login()
    assert world.log.events[-1][0] is Event.LOGIN_FAILED
    await world.login("no")
    assert world.slept == [2]


async def test_an_outage_locks_nobody_out_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, block_network_after=4)
    world.directory.gone = True
    for _ in range(50):
        with pytest.raises(DirectoryGone):
            await world.login()
    assert world.log.events[-1][0] is Event.LOGIN_FAILED
    world.directory.gone = False
    assert isinstance(await world.login(), Mailbox)
    await world.login("no")
    assert world.slept == [1]


async def test_waiting_is_bounded_and_disturbs_nobody() -> None:
    directory = TableDirectory(passwords={"u@a.test": "pw"}, mailboxes={"u@a.test": True})
    settings = LoginSettings.model_validate({"failure_delay_s": 30, "max_waiting": 2})
    gate = LoginGate(directory=directory, settings=settings, clock=SystemClock(), log=ListLog())

    async def attempt(password: str) -> Mailbox | LoginFailure:
        return await gate.login(
            "u@a.test", password, Service.POP3, "192.0.2.1", mechanism="USER", tls=False
        )

    late = [asyncio.create_task(attempt("no")) for _ in range(2)]
    async with asyncio.timeout(5):
        while gate._waiting < 2:
            await asyncio.sleep(0)
        assert await attempt("no") is LoginFailure.PASSWORD  # beyond the bound: at once
        assert isinstance(await attempt("pw"), Mailbox)
    assert not any(task.done() for task in late)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    assert gate._waiting == 0


def test_tables_are_bounded() -> None:
    clock = HandClock()
    failures = Failures(clock=clock, window_s=600, entries=100)
    friends = Friends(clock=clock, entries=100)
    for i in range(1000):
        failures.count(str(i))
        friends.add(str(i), "net")
    assert len(failures) == 100
    assert failures.number("999") == 1
    assert failures.number("1") == 0
    assert ("999", "net") in friends
    assert ("1", "net") not in friends


class FixedIssuer:
    """Knows one token."""

    scope = configuration = ""
    gone = False

    async def judge(self, token: str) -> str | LoginFailure:
        if self.gone:
            raise DirectoryGone("the issuer cannot be asked")
        return "U@a.test" if token == "good" else LoginFailure.TOKEN


async def test_tokens_are_throttled_as_passwords_are(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, block_network_after=4)
    world.gate.issuer = FixedIssuer()

    async def show(token: str, user: str = "", peer: str = "192.0.2.9") -> Mailbox | LoginFailure:
        return await world.gate.token(
            user, token, Service.IMAP, peer, mechanism="OAUTHBEARER", tls=True
        )

    assert isinstance(await show("good"), Mailbox)
    assert isinstance(await show("good", "u@a.test"), Mailbox)
    assert await show("good", "other@a.test", "192.0.2.1") is LoginFailure.ANOTHER
    for _ in range(3):
        assert await show("bad", peer="192.0.2.1") is LoginFailure.TOKEN
    assert world.slept[-2:] == [4.0, 8.0]
    assert await show("good", peer="192.0.2.1") is LoginFailure.THROTTLED
    # Who gives no name is nobody that could be locked out.
    for peer in range(60):
        await show("bad", peer=f"198.51.100.{peer}")
    assert isinstance(await show("good", peer="203.0.113.7"), Mailbox)


@pytest.mark.parametrize(
    ("why", "counts"),
    [
        (LoginFailure.TOKEN_OVER, False),
        (LoginFailure.SCOPE, False),
        (LoginFailure.TOKEN_INACTIVE, True),
        (LoginFailure.TOKEN_FORGED, True),
        (LoginFailure.TOKEN_FOREIGN, True),
    ],
)
async def test_a_token_that_is_genuine_is_no_guess(
    monkeypatch: pytest.MonkeyPatch, why: LoginFailure, counts: bool
) -> None:
    """A client that goes on with its expired token must not lock its user's password out."""
    world = World(monkeypatch, block_network_after=4, block_user_after=4)

    class Refusing(FixedIssuer):
        async def judge(self, token: str) -> str | LoginFailure:
            return why

    world.gate.issuer = Refusing()
    for _ in range(5):
        found = await world.gate.token(
            "u@a.test", "t", Service.IMAP, "192.0.2.1", mechanism="XOAUTH2", tls=True
        )
        assert found in (why, LoginFailure.THROTTLED)
    assert bool(world.slept) is counts
    assert isinstance(await world.login(), Mailbox) is not counts


async def test_an_issuer_that_is_gone_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    issuer = world.gate.issuer = FixedIssuer()
    issuer.gone = True
    with pytest.raises(DirectoryGone):
        await world.gate.token("", "good", Service.IMAP, "192.0.2.1", mechanism="X", tls=True)
    world.gate.issuer = None
    found = await world.gate.token("", "good", Service.IMAP, "::1", mechanism="X", tls=True)
    assert found is LoginFailure.TOKEN


async def test_a_certificate_is_for_whom_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, default_domain="a.test")

    async def show(user: str, *names: str) -> Mailbox | LoginFailure:
        return await world.gate.certified(
            names, user, Service.IMAP, "192.0.2.1", mechanism="EXTERNAL"
        )

    assert isinstance(await show("", "u@a.test"), Mailbox)
    assert isinstance(await show("u", "x@a.test", "u@a.test"), Mailbox)
    assert await show("u@a.test", "x@a.test") is LoginFailure.ANOTHER
    assert await show("", "x@a.test") is LoginFailure.UNKNOWN
    assert world.log.events[0][1]["mechanism"] == "EXTERNAL"


def test_workers_of_a_node_know_of_one_another() -> None:
    clock, tallies = HandClock(), Tallies(3)
    boards = [tallies.take({0, 1, 2} - {number}).board for number in range(3)]
    here, there, late = (
        Failures(clock=clock, window_s=600, entries=100, kind="network", board=board)
        for board in boards
    )
    users = Failures(clock=clock, window_s=600, entries=100, kind="user", board=boards[1])
    assert [here.count("a"), there.count("a"), here.count("a"), there.count("b")] == [1, 2, 3, 1]
    assert (late.number("a"), there.number("a"), users.number("a")) == (3, 3, 0)
    clock.advance(600)
    assert (late.number("a"), here.number("a")) == (2, 2)
    friends = [Friends(clock=clock, entries=100, board=board) for board in boards]
    friends[0].add("u@a.test", "192.0.2.0/24")
    assert all(("u@a.test", "192.0.2.0/24") in one for one in friends)
    assert ("v@a.test", "192.0.2.0/24") not in friends[1]
    clock.advance(31 * 86_400)
    assert ("u@a.test", "192.0.2.0/24") not in friends[1]


async def test_guesses_through_all_workers_are_blocked_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tallies = Tallies(2)
    worlds = [World(monkeypatch, block_network_after=6) for _ in range(2)]
    for number, world in enumerate(worlds):
        world.gate = LoginGate(
            directory=world.directory,
            settings=LoginSettings(block_network_after=6),
            clock=world.clock,
            log=world.log,
            board=tallies.take({0, 1} - {number}).board,
        )
    for number in range(6):
        refused = await worlds[number % 2].login("wrong")
        assert refused is LoginFailure.PASSWORD
    for world in worlds:
        assert await world.login("pw") is LoginFailure.THROTTLED
