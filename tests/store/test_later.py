"""Work that waits a little."""

from __future__ import annotations

from mailnode.store.later import Later


def test_what_comes_after_the_end_is_done_at_once() -> None:
    done: list[tuple[str, int]] = []
    later = Later[str, int]("test", 60.0, lambda key, value: done.append((key, value)), print)
    later.add("before", 1)
    assert later.close() == 0
    later.add("after", 2)
    assert done == [("before", 1), ("after", 2)]
