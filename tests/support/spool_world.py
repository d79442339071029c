"""A spool on a temporary folder, with envelopes and debts to put in."""

from __future__ import annotations

from pathlib import Path

from mailnode.model.address import Address
from mailnode.model.envelope import Client, Envelope, Recipient
from mailnode.model.queue_id import format_queue_id
from mailnode.queue import Debt
from mailnode.queue.spool import DiskSpool
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.settings.queue import QueueSettings
from tests.support.smtp_world import FakeClock

MESSAGE = b"Received: x\r\nSubject: t\r\n\r\n" + b"body\r\n" * 50


def queue_id(number: int) -> str:
    return format_queue_id(1_700_000_000.0 + number, number)


def envelope(
    number: int = 1,
    *users: str,
    sender: str | None = "alice@here.test",
    notify: frozenset[str] = frozenset(),
    extra: dict[str, str] | None = None,
    ret: str = "",
) -> Envelope:
    recipients = tuple(
        Recipient(Address(*user.split("@")), notify, f"rfc822;{user}")
        for user in users or ("bob@here.test",)
    )
    return Envelope(
        queue_id=queue_id(number),
        sender=Address(*sender.split("@")) if sender else None,
        recipients=recipients,
        client=Client("192.0.2.1", 4711, "helo", "TLSv1.3 X", "alice@here.test", "ESMTP"),
        received_at=1_700_000_000.0,
        ret=ret,
        envid="id-1",
        extra=extra or {},
    )


def logged_in() -> dict[str, str]:
    """``extra`` of a message whose sender logged in."""
    return {
        "sender_user": "alice@here.test",
        "sender_maildir": "here.test/alice",
        "sender_quota": "0",
    }


def debt(user: str = "bob@here.test", attempts: int = 1) -> Debt:
    local, domain = user.split("@")
    return Debt(Address(local, domain), user, f"{domain}/{local}", 0, attempts, "4.3.0", "not now")


def make_spool(
    folder: Path, clock: FakeClock | None = None, log: ListLog | None = None
) -> DiskSpool:
    return DiskSpool(
        folder=folder / "queue",
        settings=QueueSettings(),
        clock=clock or FakeClock(),
        log=log or ListLog(),
    )
