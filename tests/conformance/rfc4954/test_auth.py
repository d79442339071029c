"""RFC 4954: AUTH on submission."""

from __future__ import annotations

import base64
from pathlib import Path

from mailnode.intake.service import Role
from tests.support.smtp_world import World, running


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def ready(world: World):  # type: ignore[no-untyped-def]
    client = await world.hello()
    await client.start_tls()
    await client.say("EHLO c")
    return client


async def test_s4_plain_with_and_without_initial_response(tmp_path: Path) -> None:
    good = b64("\0alice@here.test\0secret")
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await ready(world)
        assert (await client.say("AUTH PLAIN")).startswith("334 ")
        assert (await client.say(good)).startswith("235 2.7.0")
        assert (await client.say(f"AUTH PLAIN {good}")).startswith("503")
        client = await ready(world)
        assert (await client.say(f"auth plain {good}")).startswith("235")
        assert world.gate.logins[-1][3:] == ("PLAIN", True)


async def test_login_mechanism(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await ready(world)
        assert (await client.say("AUTH LOGIN")) == f"334 {b64('Username:')}"
        assert (await client.say(b64("alice@here.test"))) == f"334 {b64('Password:')}"
        assert (await client.say(b64("secret"))).startswith("235")


async def test_s4_what_goes_wrong(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await ready(world)
        assert (await client.say("AUTH PLAIN " + b64("\0alice@here.test\0x"))).startswith(
            "535 5.7.8"
        )
        assert (await client.say("AUTH PLAIN " + b64("bob\0alice@here.test\0secret"))).startswith(
            "535"
        )
        assert (await client.say("AUTH PLAIN !!!")).startswith("501 5.5.2")
        assert (await client.say("AUTH CRAM-MD5")).startswith("504")
        assert (await client.say("AUTH")).startswith("501")
        assert (await client.say("AUTH PLAIN")).startswith("334")
        assert (await client.say("*")).startswith("501 5.7.0")
        assert (await client.say("AUTH PLAIN " + b64("\0gone@here.test\0x"))).startswith(
            "454 4.7.0"
        )
        assert (await client.say("AUTH PLAIN")).startswith("334")
        assert (await client.say("A" * 13_000)).startswith("500")
        assert (await client.say("AUTH PLAIN " + "A" * 13_000)).startswith("500")
        await client.dialog("C: NOOP\nS: 250")
        assert not any("secret" in str(fields) for _, fields in world.log.events)


async def test_s4_only_under_tls(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.hello()
        assert (await client.say("AUTH PLAIN x")).startswith("538 5.7.11")
        assert (await client.say("MAIL FROM:<alice@here.test>")).startswith("530 5.7.0")
        assert world.gate.logins == []


async def test_loopback_without_tls_by_setting(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION, auth_without_tls_on_loopback=True) as world:
        client = await world.hello()
        got = await client.say("AUTH PLAIN " + b64("\0alice@here.test\0secret"))
        assert got.startswith("235")


async def test_s4_not_within_a_transaction_and_s5_the_parameter(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        assert (await client.say("MAIL FROM:<alice@here.test> AUTH=<>")).startswith("250")
        assert (await client.say("AUTH PLAIN x")).startswith("503")
