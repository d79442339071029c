"""From a socket into the real store: what was acknowledged is there, also what failed first."""

from __future__ import annotations

import email
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.delivery.local import LocalCourier
from mailnode.queue.runner import Runner
from mailnode.runtime import files
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.store import AccountRef
from mailnode.store.guard import lay_guard
from mailnode.store.maildir_store import MaildirStore
from tests.support.smtp_world import FakeClock, World, running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MaildirStore]:
    root = tmp_path / "mail"
    root.mkdir()
    lay_guard(root)
    made = MaildirStore(
        root=root,
        state=tmp_path / "state",
        node="n1",
        settings=StorageSettings(),
        clock=FakeClock(),
        log=NullLog(),
        on_change=lambda key, modseq: None,
        on_use=lambda user, used, messages: None,
    )
    yield made
    made.close()


def use_store(world: World, store: MaildirStore) -> LocalCourier:
    courier = LocalCourier(store=store, pool=world.pool, log=world.log, clock=world.clock)
    world.service._desk.handover._courier = courier
    return courier


def messages(store: MaildirStore, user: str) -> list[bytes]:
    local, _, domain = user.partition("@")
    folder = store.account(AccountRef(user, f"{domain}/{local}")).open("INBOX")
    try:
        return [folder.read(uid) for uid in folder.refresh().uids]
    finally:
        folder.close()


async def send(world: World, *recipients: str, body: bytes = b"hi\r\n") -> str:
    client = await world.hello()
    client.write(b"MAIL FROM:<s@far.test>\r\n")
    client.write("".join(f"RCPT TO:<{one}>\r\n" for one in recipients))
    client.write(b"DATA\r\nSubject: s\r\n\r\n" + body + b".\r\n")
    for _ in range(len(recipients) + 2):
        await client.reply()
    return await client.reply()


async def test_small_and_large(tmp_path: Path, store: MaildirStore) -> None:
    large = (b"x" * 70 + b"\r\n") * 20_000
    async with running(tmp_path) as world:
        use_store(world, store)
        assert (await send(world, "team@here.test")).startswith("250")
        assert (await send(world, "alice@here.test", body=large)).startswith("250")
    small, big = messages(store, "alice@here.test")
    assert small.startswith(
        b"Return-Path: <s@far.test>\r\nDelivered-To: team@here.test\r\nReceived: "
    )
    assert email.message_from_bytes(small)["Subject"] == "s"
    assert big.endswith(b"\r\n\r\n" + large)
    assert len(messages(store, "bob@here.test")) == 1


async def test_over_quota_for_one_is_owed_and_paid_later(
    tmp_path: Path, store: MaildirStore
) -> None:
    async with running(tmp_path) as world:
        courier = use_store(world, store)
        world.router.local("bob@here.test", "bob@here.test", quota=3000)
        assert (await send(world, "bob@here.test", body=b"x" * 900 + b"\r\n")).startswith("250")
        big = b"x" * 990 + b"\r\n" + b"y" * 900 + b"\r\n"
        assert (await send(world, "bob@here.test", body=big)).startswith("452 4.2.2")
        assert (await send(world, "bob@here.test", "alice@here.test", body=big)).startswith("250")
        assert len(messages(store, "alice@here.test")) == 1
        ((queue_id),) = world.spool.ids("active")
        local = store.account(AccountRef("bob@here.test", "here.test/bob")).open("INBOX")
        local.remove(local.refresh().uids)
        local.close()
        runner = Runner(
            spool=world.spool,
            courier=courier,
            pool=world.pool,
            settings=QueueSettings(),
            clock=world.clock,
            log=world.log,
        )
        assert await runner.work(queue_id)
        owed = world.spool.ids("active")
    assert len(messages(store, "bob@here.test")) == 1
    assert owed == []


@pytest.mark.fault
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_no_250_without_a_copy(tmp_path: Path, store: MaildirStore, code: int) -> None:
    async with running(tmp_path) as world:
        use_store(world, store)
        assert (await send(world, "alice@here.test")).startswith("250")
        accepted = 1
        for number in range(1, 15):
            steps = 0

            def on_step(name: str, path: object, at: int = number) -> None:
                nonlocal steps
                steps += 1
                if steps == at:
                    raise OSError(code, os.strerror(code))

            files.on_step = on_step
            try:
                got = await send(world, "alice@here.test")
            finally:
                files.on_step = None
            assert got.startswith(("250", "45")), got
            accepted += got.startswith("250")
    assert accepted <= len(messages(store, "alice@here.test")) <= 15
