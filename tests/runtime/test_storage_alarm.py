"""Told at once, then once a minute; each kind of failure with its own remedy."""

from __future__ import annotations

from mailnode.model.errors import OverQuota, StorageFull, StorageGone
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.storage_alarm import TOLD_EVERY_S, StorageAlarm
from tests.support.hand_clock import HandClock


def test_each_kind_is_told_at_once_and_then_once_a_minute() -> None:
    clock, log = HandClock(), ListLog()
    alarm = StorageAlarm("/mail", clock, log)
    for _ in range(50):
        alarm.tell(StorageFull("no room"))
        alarm.tell(StorageGone("read-only"))
        alarm.tell(OSError(5, "Input/output error"))
        alarm.tell(OverQuota("the user's own affair"))
    assert [(event, fields["remedy"]) for event, fields in log.events] == [
        (Event.STORAGE, StorageFull.remedy),
        (Event.STORAGE, StorageGone.remedy),
    ]
    clock.advance(TOLD_EVERY_S)
    alarm.tell(StorageFull("still no room"))
    assert log.events[-1][1] == {
        "path": "/mail",
        "reason": "still no room",
        "remedy": StorageFull.remedy,
    }
