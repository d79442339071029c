"""Queue ids sort by time and differ."""

from __future__ import annotations

import secrets

from mailnode.model.queue_id import format_queue_id, is_queue_id


def test_order_form_and_difference() -> None:
    made = [format_queue_id(1_700_000_000.0 + n / 1000, secrets.randbits(40)) for n in range(500)]
    assert made == sorted(made)
    assert len({format_queue_id(1.0, secrets.randbits(40)) for _ in range(1000)}) == 1000
    assert all(map(is_queue_id, made))
    for bad in ("", "..", made[0][:-1], made[0].lower(), made[0] + "/", "W" * 19, made[0] + "\n"):
        assert not is_queue_id(bad)
