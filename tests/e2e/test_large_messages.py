"""A message of 20 MiB by SMTP, read by IMAP and POP3, alone and many at once: the workers hold a
bounded part of each. The figures for fifty at once: ``python -m bench.big_messages``."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.big_messages import SESSIONS_PER_USER, Growth, log_in, measure
from tests.support.demo_server import demo_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

AT_ONCE = 2 * SESSIONS_PER_USER
SIZE_BYTES = 20 << 20
# Each message: buffers of socket and parser, 256 KiB in memory before the file, one piece to read.
EACH_KIB = 2 * 1024
ONCE_KIB = 8 * 1024


def test_workers_hold_a_bounded_part_of_large_messages(tmp_path: Path) -> None:
    with demo_server(tmp_path / "d", users=3) as instance:
        log_in(instance)
        found: dict[str, Growth] = measure(instance, AT_ONCE, SIZE_BYTES)
    for step in ("send", "read_imap", "read_pop3"):
        assert found[f"{step}_1"]["grew_kib"] < ONCE_KIB, found
        assert found[f"{step}_{AT_ONCE}"]["grew_kib"] < ONCE_KIB + AT_ONCE * EACH_KIB, found
