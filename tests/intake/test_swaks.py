"""swaks, as an administrator would use it (without TLS, which needs a Perl module more)."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from mailnode.intake.service import Role
from tests.support.smtp_world import World, running

pytestmark = pytest.mark.skipif(shutil.which("swaks") is None, reason="swaks is not installed")


async def swaks(world: World, options: str) -> subprocess.CompletedProcess[str]:
    command = ["swaks", "--server", f"127.0.0.1:{world.port}", "--timeout", "10", *options.split()]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )


async def test_mx_with_pipelining(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        done = await swaks(
            world, "--to alice@here.test,no@here.test --from s@far.test --pipeline --body hello"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert b"hello" in world.courier.content


async def test_submission(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION, auth_without_tls_on_loopback=True) as world:
        for mechanism in ("LOGIN", "PLAIN"):
            done = await swaks(
                world,
                f"--to bob@here.test --from alice@here.test --auth {mechanism} "
                "--auth-user alice@here.test --auth-password secret",
            )
            assert done.returncode == 0, done.stdout + done.stderr
        done = await swaks(world, "--to bob@here.test --from alice@here.test")
        assert done.returncode != 0
        assert len(world.courier.delivered) == 2


async def test_lmtp(tmp_path: Path) -> None:
    async with running(tmp_path, Role.LMTP) as world:
        done = await swaks(
            world, "--protocol LMTP --to alice@here.test,bob@here.test --from s@far.test"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert world.courier.users() == ["alice@here.test", "bob@here.test"]
