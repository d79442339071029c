"""Options of the command: what is odd is answered on one line, exit status 2."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import flame, matrix
from bench.plan import SCENARIOS, Scenario
from bench.result import Result
from bench.scenarios import big_mailbox
from bench.server import Server
from tests.support.processes import running

ROOT = Path(__file__).parents[2]

WRONG = [
    ("deliver --size 3", "argument --size: '3' is no size from 1KiB to 20MiB"),
    ("deliver --size 21MiB", "argument --size: '21MiB' is no size from 1KiB to 20MiB"),
    ("deliver --size 1TiB", "argument --size: '1TiB' is no size from 1KiB to 20MiB"),
    ("deliver --sessions 501", "argument --sessions: '501' is no number from 1 to 500"),
    ("deliver --mailboxes ٣", "argument --mailboxes: '٣' is no number from 1 to 50000"),
    ("deliver --recipients 7 --mailboxes 3", "7 recipients need as many mailboxes, not 3"),
    (
        "deliver --policy on",
        "--policy on: mailnode has no SPF, DKIM and DMARC checks yet that could be switched on;"
        " there is --policy off",
    ),
    ("deliver --tls --messages 5", "--tls goes on for some seconds: no --messages with it"),
    (
        "deliver --messages 50000 --size 20MiB",
        "more than 100000 copies or 20000 MiB: fewer --messages or --recipients",
    ),
    ("imap-mix --tls", "size, sessions and the like are options of deliver alone"),
    ("deliver submit --size 1KiB", "size, sessions and the like are options of deliver alone"),
    ("--scale x", "argument --scale: 'x' is no number"),
    ("--scale nan", "argument --scale: nan is not between 0.001 and 1000"),
    ("all --minutes 0", "argument --minutes: 0 is not between 1 and 1440"),
]


def chosen(words: str) -> list[tuple[str, Scenario]]:
    parser = command._parser()
    return command._chosen(parser.parse_args(words.split()), parser)


@pytest.mark.parametrize(("words", "told"), WRONG)
def test_odd_options(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        chosen(words)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"bench: {told}\n"


def test_the_program_answers_so() -> None:
    run = [sys.executable, "-m", "bench", "nix"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("bench: no scenario nix; there are: all, deliver, ")
    assert done.stderr.count("\n") == 1


def test_flame_asks_for_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flame, "_spy", lambda: "")
    for words, told in (
        (["x"], "argument load: invalid choice: 'x' (choose from 'deliver', 'imap-mix')"),
        (["deliver", "--seconds", "1"], "--seconds 1 is not between 2 and 600"),
        (["deliver"], "py-spy is not here: pip install py-spy"),
    ):
        with pytest.raises(SystemExit) as end:
            flame.main(words)
        assert end.value.code == 2
        assert capsys.readouterr().err == f"bench flame: {told}\n"


def test_all_is_everything_within_the_time() -> None:
    assert [name for name, _ in chosen("all")] == list(SCENARIOS)
    assert chosen("") == chosen("all")
    planned_s = sum(one.planned_s(1.0, alone=False) for one in SCENARIOS.values())
    assert planned_s < 18 * 60
    assert [name for name, _ in chosen("idle fetch idle")] == ["idle", "fetch"]


def test_a_delivery_of_ones_own_choice() -> None:
    parser = command._parser()
    words = "deliver --size 64KiB --sessions 500 --recipients 3 --mailboxes 40 --keep"
    load = matrix.load_of(parser.parse_args(words.split()))
    assert (load.size, load.sessions, load.recipients, load.mailboxes) == (65536, 500, 3, 40)
    assert load.keep
    assert load.messages == 2000
    assert load.name == "deliver 65536 B, 500 sessions, 3 recipients, 40 mailboxes, keep"
    ((name, scenario),) = chosen(words)
    assert name == load.name
    assert scenario.users(1.0) >= 40


@pytest.mark.parametrize(("words", "indexed"), [("", True), ("--without-text", False)])
def test_the_text_of_a_million_messages_can_be_left_out(
    words: str, indexed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[int], bool]] = []

    def run(_server: object, sizes: list[int], *, indexed: bool) -> list[Result]:
        asked.append((sizes, indexed))
        return []

    monkeypatch.setattr(big_mailbox, "run", run)
    ((_, scenario),) = chosen(f"big-mailbox --scale 100 {words}")
    scenario.run(Server("mailnode", (), "", {}, list, Path()), 100.0)
    assert asked == [([10, 1000, 10_000, 100_000, 1_000_000], indexed)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_goes_leaves_nothing_running(number: signal.Signals) -> None:
    # The tests themselves may run under nohup.
    waits = f"import signal; signal.signal({int(number)}, signal.SIG_DFL); "
    waits += "from bench.clock import heed_endings; heed_endings(); "
    waits += "print('x', flush=True); signal.pause()"
    with running(
        [sys.executable, "-c", waits], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        run.send_signal(number)
        assert b"KeyboardInterrupt" in run.communicate(timeout=60)[1]
