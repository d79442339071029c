"""Heartbeat's scripts that write to it at the same moment, as the shipped script leaves them."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from mailnode.admin.cluster_writer import TEMPLATES

SHELLFUNCS = Path("/etc/ha.d/shellfuncs")
MEND = TEMPLATES / "heartbeat/whole-messages"
WRITERS, MESSAGES = 4, 25
_WRITE = """
. $1
HA_FIFO=$2
write() { for number in $(seq $2); do ha_clustermsg <<-!MSG
	t=ask_resources
	from=$1
	number=$number
	!MSG
done; }
for writer in $(seq $3); do write $writer $4 & done
wait
"""

needs_heartbeat = pytest.mark.skipif(
    not SHELLFUNCS.exists(), reason="heartbeat is not installed: scripts/test"
)


def mend(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(MEND), str(path)], capture_output=True, text=True, check=False, timeout=60
    )


@needs_heartbeat
def test_messages_of_scripts_that_write_at_once_stay_whole(tmp_path: Path) -> None:
    mended, pipe = tmp_path / "shellfuncs", tmp_path / "fifo"
    shutil.copy(SHELLFUNCS, mended)
    assert mend(mended).returncode == 0
    os.mkfifo(pipe)
    # Opened for both, so that it has an end only when we say so.
    held = os.open(pipe, os.O_RDWR)
    heard: list[bytes] = []
    with pipe.open("rb") as reader:
        listening = threading.Thread(target=lambda: heard.append(reader.read()), daemon=True)
        listening.start()
        words = [str(mended), str(pipe), str(WRITERS), str(MESSAGES)]
        subprocess.run(["bash", "-c", _WRITE, "bash", *words], check=True, timeout=100)
        os.close(held)
        listening.join(60)
    (text,) = heard
    expected = {
        f"t=ask_resources\nfrom={writer}\nnumber={number}\n"
        for writer in range(1, WRITERS + 1)
        for number in range(1, MESSAGES + 1)
    }
    messages = text.decode().split("<<<\n")
    assert messages.pop() == ""
    assert len(messages) == len(expected)
    assert {one.removeprefix(">>>\n") for one in messages} == expected


@needs_heartbeat
def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    mended = tmp_path / "shellfuncs"
    shutil.copy(SHELLFUNCS, mended)
    assert mend(mended).returncode == 0
    once = mended.read_text()
    assert mend(mended).returncode == 0
    assert mended.read_text() == once != SHELLFUNCS.read_text()


def test_what_it_does_not_know_is_left_and_told(tmp_path: Path) -> None:
    other = tmp_path / "shellfuncs"
    other.write_text("ha_clustermsg() { socat; }\n")
    done = mend(other)
    assert done.returncode == 1
    assert "left as it is" in done.stderr
    assert other.read_text() == "ha_clustermsg() { socat; }\n"
