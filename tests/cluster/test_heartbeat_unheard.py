"""A Heartbeat that took a dead node's addresses over and did not hear that its script was done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.test_heartbeat import WITHIN_S, pair_in_temporary_folder
from tests.support.heartbeat_pair import Pair

pytestmark = [pytest.mark.timeout(420), pytest.mark.slow, pytest.mark.fault]
SHELLFUNCS = "/etc/ha.d/shellfuncs"
# What becomes of the script's message when another one is written in its middle.
LOSES_THE_WORD = """
ha_clustermsg() {
  message=$(cat -)
  case $message in *info=mach_down*) [ -e /run/lost ] || { touch /run/lost; return; } ;; esac
  printf '>>>\\n%s\\n<<<\\n' "$message" >> $HA_FIFO
}
"""
HEARD = "info: mach_down takeover complete.\n"


@pytest.fixture
def pair() -> Iterator[Pair]:
    with pair_in_temporary_folder(fencing=True, start=False) as found:
        two = found.machines["n2"]
        text = Path(f"{two.copies}{SHELLFUNCS}").read_text()
        two.place(SHELLFUNCS, text + LOSES_THE_WORD, 0o755)
        found.start()
        yield found


def test_a_takeover_whose_end_was_not_heard_ends_all_the_same(pair: Pair) -> None:
    two = pair.machines["n2"]
    pair.machines["n1"].power_off()
    pair.until_owned("n2", "n2", within_s=WITHIN_S)
    pair.until(lambda: "takeover complete for node n1" in two.read("ha-log"), "no end", WITHIN_S)
    assert two.run("ls", "/run/lost").strip() == "/run/lost"
    assert HEARD not in two.read("ha-log")
    assert pair.held("n2") == "transition"
    pair.until(lambda: pair.held("n2") == "all", "it does not settle", WITHIN_S)
    assert two.read("ha-log").count(HEARD) == 1
    pair.until_owned("n2", "n2")
