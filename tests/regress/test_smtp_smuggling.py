"""SMTP smuggling (CVE-2023-51764 and kin): only CRLF.CRLF ends a message, for anyone.

Inbound: none of the look-alikes ends a message here. Outbound: none of them is ever stored or
handed on, so that no later server can be fooled by us.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.smtp_world import running

ENDS = [
    b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\r\n.\r", b"\r\n.\r\r\n",
    b"\r\r\n.\r\n\n", b"\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
]  # fmt: skip
EVIL = b"MAIL FROM:<admin@here.test>\r\nRCPT TO:<bob@here.test>\r\nDATA\r\nevil: 1\r\n\r\n"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("step", [0, 1])
async def test_no_second_message(tmp_path: Path, end: bytes, step: int) -> None:
    if end == b"\r\r\n.\r\n\n":
        # A true end behind a bare CR: the rest is commands, and the first message is refused.
        want = ["250", "250", "354", "550", "500"]
    else:
        want = ["250", "250", "354", "550", "250"]
    stream = b"MAIL FROM:<s@far.test>\r\nRCPT TO:<alice@here.test>\r\nDATA\r\nA: b\r\n\r\nx"
    stream += end + (EVIL + b"\r\n.\r\nNOOP\r\n" if want[-1] == "250" else b"")
    async with running(tmp_path) as world:
        client = await world.hello()
        if step:
            for at in range(0, len(stream), step):
                client.write(stream[at : at + step])
                await client.writer.drain()
        else:
            client.write(stream)
        if want[-1] == "500":
            client.write(b"NOOP\r\n")
        assert [(await client.reply())[:3] for _ in want] == want
        assert world.courier.delivered == []


@pytest.mark.parametrize("end", ENDS)
async def test_not_by_bdat_either(tmp_path: Path, end: bytes) -> None:
    content = b"A: b\r\n\r\nx" + end + EVIL
    async with running(tmp_path) as world:
        client = await world.hello()
        client.write(b"MAIL FROM:<>\r\nRCPT TO:<alice@here.test>\r\n")
        client.write(b"BDAT %d LAST\r\n" % len(content) + content + b"NOOP\r\n")
        assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "550", "250"]
        assert world.courier.delivered == []
