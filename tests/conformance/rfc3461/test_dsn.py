"""RFC 3461: DSN parameters and what comes of them."""

from __future__ import annotations

from pathlib import Path

from mailnode.intake.service import Role
from tests.support.smtp_world import running


async def test_s4_parameters_reach_the_envelope(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        client = await world.hello()
        await client.dialog(
            """
            C: MAIL FROM:<s@far.test> RET=HDRS ENVID=QQ+2B1
            S: 250
            C: RCPT TO:<alice@here.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Alice+40x@here.test
            S: 250
            C: RCPT TO:<bob@here.test> NOTIFY=NEVER
            S: 250
            C: RCPT TO:<carol@other.test> NOTIFY=NEVER,FAILURE
            S: 501 5.5.4
            C: DATA
            S: 354
            C: A: b
            C:
            C: .
            S: 250
            """
        )
        envelope = world.courier.envelope
        assert (envelope.ret, envelope.envid) == ("HDRS", "QQ+1")
        assert envelope.recipients[0].notify == {"SUCCESS", "DELAY"}
        assert envelope.recipients[0].orcpt == "rfc822;Alice@x@here.test"
        # A stranger's sender address may be forged: no receipt goes out.
        assert world.courier.users() == ["alice@here.test", "bob@here.test"]


async def test_s6_2_a_login_gets_its_receipt(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        client = await world.logged_in()
        await client.dialog(
            """
            C: MAIL FROM:<alice@here.test> ENVID=e1
            S: 250
            C: RCPT TO:<bob@here.test> NOTIFY=SUCCESS
            S: 250
            C: DATA
            S: 354
            C: Subject: x
            C:
            C: .
            S: 250
            """
        )
        assert world.courier.users() == ["bob@here.test", "alice@here.test"]
        receipt = world.courier.content
        assert b"Action: delivered" in receipt
        assert b"Original-Envelope-Id: e1" in receipt
        assert world.courier.envelope.sender is None
