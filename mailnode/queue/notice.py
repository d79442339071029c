"""Tells senders what became of their mail, where the sender has a mailbox here.

Who may be told: only a sender who logged in to send. The login is the one proof that a
sender address is not forged, so notifications go to the mailbox that intake noted at login
(``extra``), and to no one else; sending them to other hosts is a later piece of work.
Promises: ``send`` returns True only once the notification is durable, in the mailbox or the spool.
Fails: ``StorageFull``, ``StorageGone``.
RFC: 3461, 3464, 5321 6.1 (no notification of a notification).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import BinaryIO

from mailnode.delivery import Courier
from mailnode.directory import Mailbox
from mailnode.model.envelope import Envelope
from mailnode.model.queue_id import format_queue_id
from mailnode.queue import Debt, Spool
from mailnode.queue.bounce import (
    Action,
    Report,
    format_notification,
    notification_envelope,
)
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.tasks import Pool

# Headers returned; longer ones are cut (RFC 3461 6.2 leaves how much to us).
_HEAD_BYTES = 65_536


def note_sender(login: Mailbox) -> dict[str, str]:
    """What goes into ``Envelope.extra`` when ``login`` sends, so that it can be told later."""
    return {
        "sender_user": login.user,
        "sender_maildir": login.maildir,
        "sender_quota": str(login.quota_bytes),
    }


def sender_mailbox(envelope: Envelope) -> Mailbox | None:
    """The mailbox here of the sender, if there is one to tell."""
    user, maildir = envelope.extra.get("sender_user"), envelope.extra.get("sender_maildir")
    if envelope.sender is None or not user or not maildir:
        return None
    quota = envelope.extra.get("sender_quota", "0")
    limit = int(quota) if quota.isascii() and quota.isdigit() else 0
    return Mailbox(user, maildir, limit, user.rpartition("@")[2])


class Notices:
    """Makes notifications and hands them over."""

    def __init__(
        self,
        *,
        spool: Spool,
        courier: Courier,
        pool: Pool,
        clock: Clock,
        log: MailLog,
        hostname: str,
    ) -> None:
        self._spool = spool
        self._courier = courier
        self._pool = pool
        self._clock = clock
        self._log = log
        self._hostname = hostname

    async def send(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        action: Action,
        reports: Sequence[Report],
    ) -> bool:
        """Tell the sender of ``envelope``; False when there is no one to tell."""
        mailbox = sender_mailbox(envelope)
        if mailbox is None or not reports:
            return False
        assert envelope.sender is not None
        now = self._clock.now()
        notification = notification_envelope(
            envelope, format_queue_id(now, secrets.randbits(40)), now
        )
        head = await self._pool.run(read_head, chunks)
        # RFC 3461 4.3: RET speaks of failures only.
        whole = _whole(chunks) if action is Action.FAILED and envelope.ret == "FULL" else None
        made = format_notification(
            envelope, notification, action, reports, self._hostname, head, whole
        )
        self._log.event(
            Event.QUEUED, queue_id=notification.queue_id, recipients=1, about=envelope.queue_id
        )
        address = envelope.sender
        done = (await self._courier.deliver(notification, made, [(str(address), mailbox)]))[0]
        if not done.ok:
            debt = Debt(
                address,
                mailbox.user,
                mailbox.maildir,
                mailbox.quota_bytes,
                1,
                done.code,
                done.public,
            )
            await self._pool.run(self._spool.accept, notification, made, [debt])
        return True


def read_head(chunks: Sequence[bytes | memoryview | BinaryIO]) -> bytes:
    """The header block of a message, with its last line end. Blocking."""
    start = b""
    for chunk in chunks:
        if isinstance(chunk, bytes | memoryview):
            start += bytes(chunk[:_HEAD_BYTES])
        else:
            start += os.pread(chunk.fileno(), _HEAD_BYTES, 0)
        if len(start) >= _HEAD_BYTES or b"\r\n\r\n" in start:
            break
    start = start[:_HEAD_BYTES]
    end = start.find(b"\r\n\r\n")
    return start[: (end if end >= 0 else max(start.rfind(b"\r\n"), 0)) + 2]


def _whole(chunks: Sequence[bytes | memoryview | BinaryIO]) -> BinaryIO | None:
    """The message as one file, as the spool hands it out."""
    only = chunks[0] if len(chunks) == 1 else None
    return None if only is None or isinstance(only, bytes | memoryview) else only
