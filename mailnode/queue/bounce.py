"""Delivery status notifications: what a sender is told, as a message.

Promises: pure; everything that others wrote is one printable line before it gets here; a
notification has the null sender, so that none can cause another.
RFC: 3464 (report), 6522 (multipart/report), 6533 (non-ASCII addresses), 3461 6 (what goes in),
3834 5 (Auto-Submitted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum
from typing import BinaryIO

from mailnode.model.address import Address
from mailnode.model.envelope import Client, Envelope, Recipient


class Action(Enum):
    """What a report says; the value is RFC 3464's action."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"

    @property
    def notify(self) -> str:
        """The NOTIFY keyword that asks for it (RFC 3461 4.1)."""
        return {"failed": "FAILURE", "delayed": "DELAY", "delivered": "SUCCESS"}[self.value]


@dataclass(frozen=True, slots=True)
class Report:
    """One recipient's part of a notification. ``status`` is an enhanced code."""

    recipient: Recipient
    status: str
    reason: str


_SUBJECT = {
    Action.FAILED: "Your message could not be delivered",
    Action.DELAYED: "Your message is delayed",
    Action.DELIVERED: "Your message was delivered",
}
_TEXT = {
    Action.FAILED: "Your message could not be delivered to the recipients below. It was tried\r\n"
    "until now and will not be tried again.",
    Action.DELAYED: "Your message could not be delivered yet to the recipients below. It will\r\n"
    "be tried again; you need not send it again.",
    Action.DELIVERED: "Your message was put into the mailboxes of the recipients below, as you\r\n"
    "asked to be told.",
}


def wants(recipient: Recipient, action: Action) -> bool:
    """True when this recipient's sender is to hear of ``action``."""
    # RFC 3461 4.1: without NOTIFY, failures are reported, successes and delays are not.
    if not recipient.notify:
        return action is Action.FAILED
    return action.notify in recipient.notify


def notification_envelope(original: Envelope, queue_id: str, now: float) -> Envelope:
    """The envelope of a notification to the sender of ``original``.

    RFC 5321 6.1: the null sender; RFC 3461 6: NOTIFY=NEVER for the notification itself.
    """
    assert original.sender is not None
    return Envelope(
        queue_id=queue_id,
        sender=None,
        recipients=(Recipient(original.sender, frozenset({"NEVER"})),),
        client=Client("", 0, protocol="LOCAL"),
        received_at=now,
        smtputf8=original.smtputf8,
        body="8BITMIME",
    )


def format_notification(
    original: Envelope,
    notification: Envelope,
    action: Action,
    reports: Sequence[Report],
    hostname: str,
    head: bytes,
    whole: BinaryIO | None,
) -> list[bytes | memoryview | BinaryIO]:
    """The message, as chunks. ``head`` is the original's header block with its last line end;
    ``whole`` the original itself, where it is to be returned (RFC 3461 4.3, RET=FULL)."""
    assert original.sender is not None
    mark = f"=_{notification.queue_id}"
    utf8 = _needs_utf8(original.sender, reports)
    kinds = _KINDS[utf8]
    parts = [
        _header(original.sender, notification, action, hostname, mark),
        f"--{mark}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{_human(original, action, reports, hostname)}\r\n",
        f"--{mark}\r\nContent-Type: {kinds[0]}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        _machine(original, action, reports, hostname),
        f"\r\n--{mark}\r\nContent-Type: {kinds[1] if whole is not None else kinds[2]}\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n",
    ]
    start = "".join(parts).encode()
    end = f"\r\n--{mark}--\r\n".encode()
    return [start, head if whole is None else whole, end]


# RFC 6533 4: the report's parts when an address is not ASCII.
_KINDS = {
    False: ("message/delivery-status", "message/rfc822", "text/rfc822-headers"),
    True: ("message/global-delivery-status", "message/global", "message/global-headers"),
}


def _needs_utf8(sender: Address, reports: Sequence[Report]) -> bool:
    everyone = [str(sender), *(str(report.recipient.address) for report in reports)]
    return not all(text.isascii() for text in everyone)


def _header(
    sender: Address, notification: Envelope, action: Action, hostname: str, mark: str
) -> str:
    date = formatdate(notification.received_at, localtime=False).replace("-0000", "+0000")
    return (
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\n"
        f"To: <{_plain(sender)}>\r\n"
        f"Subject: {_SUBJECT[action]}\r\n"
        f"Date: {date}\r\n"
        f"Message-ID: <{notification.queue_id}@{hostname}>\r\n"
        # RFC 3834 5: so that no vacation program answers.
        "Auto-Submitted: auto-replied\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status;\r\n"
        f'\tboundary="{mark}"\r\n'
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
    )


def _human(original: Envelope, action: Action, reports: Sequence[Report], hostname: str) -> str:
    lines = [f"This is the mail server {hostname}.", "", _TEXT[action], ""]
    for report in reports:
        lines.append(f"  <{_plain(report.recipient.address)}>")
        if report.reason:
            lines.append(f"      {_line(report.reason)} ({report.status})")
    lines += ["", f"Queue id: {original.queue_id}", ""]
    return "\r\n".join(lines)


def _machine(original: Envelope, action: Action, reports: Sequence[Report], hostname: str) -> str:
    date = formatdate(original.received_at, localtime=False).replace("-0000", "+0000")
    fields = []
    # RFC 3464 2.2.1: only when the sender gave one.
    if original.envid:
        fields.append(f"Original-Envelope-Id: {_line(original.envid)}")
    fields += [f"Reporting-MTA: dns; {hostname}", f"Arrival-Date: {date}", ""]
    for report in reports:
        address = report.recipient.address
        if report.recipient.orcpt:
            fields.append(f"Original-Recipient: {_line(report.recipient.orcpt)}")
        kind = "rfc822" if str(address).isascii() else "utf-8"
        fields += [
            f"Final-Recipient: {kind}; {_plain(address)}",
            f"Action: {action.value}",
            f"Status: {report.status}",
        ]
        if action is not Action.DELIVERED and report.reason:
            fields.append(f"Diagnostic-Code: X-mailnode; {_line(report.reason)}")
        fields.append("")
    return "\r\n".join(fields)


def _plain(address: Address) -> str:
    return _line(str(address))


def _line(text: str) -> str:
    """One printable line, short enough for a header."""
    return "".join(c if c.isprintable() else "?" for c in text)[:500]
