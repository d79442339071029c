"""RFC 2180 3.4: who has a folder selected keeps it when another session renames it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.imap.test_workers import telling
from tests.support.dialog import Dialog
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server, message


@pytest.fixture(params=["same worker", "other node"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ImapServer, ImapServer]]:
    """Where the folder is selected, and where it is renamed."""
    others: list[ImapServer] = []
    with imap_server(make_store=maildir_store(tmp_path)) as here:
        if request.param == "same worker":
            yield here, here
            return
        others.append(here)
        with imap_server(make_store=telling(maildir_store(tmp_path), others)) as there:
            yield here, there


def selected(here: ImapServer, more: str = "") -> Dialog:
    here.play("C: a CREATE Work\nS: a OK")
    here.deliver(message(1), message(2), folder="Work")
    return here.play(f"{more}C: b SELECT Work\n...\nS: b OK")


def rename(there: ImapServer, new: str = "Job") -> Dialog:
    return there.play(f"C: a RENAME Work {new}\nS: a OK")


def test_commands_go_on(two: tuple[ImapServer, ImapServer]) -> None:
    here, there = two
    dialog = selected(here)
    rename(there)
    dialog.play(
        r"""
        C: c FETCH 1 (UID BODY.PEEK[TEXT])
        S~ \* 1 FETCH \(UID 1 BODY\[TEXT\] \{7\}
        ...
        S: c OK
        C: d STORE 2 +FLAGS (\Deleted)
        S~ \* 2 FETCH \(.*\\Deleted.*\)
        S: d OK
        C: e EXPUNGE
        S: * 2 EXPUNGE
        ...
        S: e OK
        C: f COPY 1 Job
        S: * 2 EXISTS
        ...
        S~ f OK \[COPYUID \d+ 1 3\]
        C: h STATUS Job (MESSAGES)
        S: * STATUS "Job" (MESSAGES 2)
        S: h OK
        C: i CLOSE
        S: i OK
        C: j SELECT Work
        S: j NO [NONEXISTENT]
        """
    )


def test_idle_goes_on_at_once(two: tuple[ImapServer, ImapServer]) -> None:
    here, there = two
    dialog = selected(here)
    dialog.play("C: c IDLE\nS: +")
    rename(there).play("C: b APPEND Job {3+}\nC: abc\n...\nS: b OK")
    dialog.play("S: * 3 EXISTS\n...\nC: DONE\nS: c OK\nC: d FETCH 3 UID\nS: * 3 FETCH (UID 3)")


def test_a_client_of_the_second_revision_hears_both_names(
    two: tuple[ImapServer, ImapServer],
) -> None:
    here, there = two
    dialog = selected(here, "C: a ENABLE IMAP4rev2\n...\nS: a OK\n")
    rename(there)
    dialog.play('C: c NOOP\nS: * LIST () "/" "Job" ("OLDNAME" ("Work"))\nS: c OK')


def test_a_client_that_renames_what_it_has_selected_keeps_it(
    two: tuple[ImapServer, ImapServer],
) -> None:
    here, there = two
    dialog = selected(here)
    dialog.play(
        "C: c RENAME Work Job\nS: c OK\nC: d UID FETCH 2 UID\nS: * 2 FETCH (UID 2)\nS: d OK"
    )
    there.deliver(message(3), folder="Job")
    dialog.play(
        "C: e NOOP\nS: * 3 EXISTS\n...\nS: e OK\nC: f DELETE Job\nS: * OK [CLOSED]\nS: f OK"
    )


def test_a_folder_that_was_renamed_and_deleted_ends_the_session(
    two: tuple[ImapServer, ImapServer],
) -> None:
    here, there = two
    dialog = selected(here)
    rename(there).play("C: b DELETE Job\nS: b OK")
    dialog.play("C: c NOOP\nS: * BYE [UNAVAILABLE]")
