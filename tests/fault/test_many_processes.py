"""Eight processes deliver to, append to, flag, copy, move and expunge from one mailbox.

Each keeps a diary of what was acknowledged to it. Afterwards the diaries must add up to what is
there, exactly; no UID may have named two messages; every process must see the same picture.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mailnode.model.errors import NoSuchMessage
from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.store import FlagsOp, Picture, core
from mailnode.store.check import Checker
from mailnode.store.folder import MaildirFolder
from tests.support.mail_store import OpenStore, message, referee, subject
from tests.support.processes import children

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]
PROCESSES = 8
ROUNDS = 120
# So small that the journals are compacted again and again under everybody's feet.
COMPACT_BYTES = 2000


class Session:
    """One process: does things, checks what it sees, keeps its diary."""

    def __init__(self, base: Path, number: int) -> None:
        self.number, self.random = number, random.Random(number)
        self.store = OpenStore(base, node=f"n{number}")
        self.folders = {name: self.store.folder(name) for name in ("INBOX", "Archive")}
        self.pictures: dict[str, Picture] = {}
        self.diary: dict[str, Any] = {"added": [], "removed": [], "copied": [], "moved": []}
        self.texts: dict[str, dict[int, str]] = {name: {} for name in self.folders}
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"p{self.number}-{self.count}"

    def look(self, name: str) -> MaildirFolder:
        """Refresh; every picture must follow from the one before."""
        folder = self.folders[name]
        new, old = folder.refresh(), self.pictures.get(name)
        uids = list(new.uids)
        assert uids == sorted(set(uids)), "UIDs do not ascend"
        assert not uids or uids[-1] < new.uidnext
        assert max(new.modseqs, default=0) <= new.highestmodseq
        if old is not None:
            assert new.uidvalidity == old.uidvalidity
            assert new.uidnext >= old.uidnext
            assert new.highestmodseq >= old.highestmodseq
            appeared = set(uids) - set(old.uids)
            assert all(uid >= old.uidnext for uid in appeared), "a UID came from the past"
            diff = folder.diff(old, new)
            assert set(diff.added) == appeared
            assert set(diff.expunged) == set(old.uids) - set(uids)
        self.pictures[name] = new
        return folder

    def text(self, name: str, uid: int) -> str:
        """The message's subject; must be what it was."""
        found = subject(self.folders[name].read(uid))
        assert self.texts[name].setdefault(uid, found) == found, "a UID names two messages"
        return found

    def some(self, name: str, most: int) -> list[int]:
        """A few UIDs whose messages can be read."""
        uids = list(self.look(name).picture().uids)
        chosen = self.random.sample(uids, min(len(uids), self.random.randint(1, most)))
        readable = []
        for uid in chosen:
            try:
                self.text(name, uid)
            except NoSuchMessage:
                continue  # someone expunged it meanwhile
            readable.append(uid)
        return readable

    # -- what a session does ---------------------------------------------------------------

    def deliver(self) -> None:
        texts = [self.fresh() for _ in range(self.random.randint(1, 3))]
        self.store.deliver(*texts)
        self.diary["added"] += texts

    def append(self) -> None:
        texts = [self.fresh() for _ in range(self.random.randint(1, 3))]
        word = frozenset({f"k{self.random.randint(0, 5)}"})
        uids = self.folders["INBOX"].append([message(text, Flag.SEEN, word) for text in texts])
        self.diary["added"] += texts
        self.texts["INBOX"].update(zip(uids, texts, strict=True))

    def flag(self) -> None:
        uids = self.some("INBOX", 5)
        op = self.random.choice(list(FlagsOp))
        word = frozenset({f"k{self.random.randint(0, 5)}"})
        self.folders["INBOX"].store_flags(uids, op, Flag.FLAGGED | Flag.SEEN, word)

    def copy(self) -> None:
        pairs = self.folders["INBOX"].copy(self.some("INBOX", 2), self.folders["Archive"])
        self._note(pairs, "copied")

    def move(self) -> None:
        pairs = self.folders["INBOX"].move(self.some("INBOX", 2), self.folders["Archive"])
        self._note(pairs, "moved")

    def _note(self, pairs: Iterable[tuple[int, int]], verb: str) -> None:
        for old, new in pairs:
            text = self.texts["INBOX"][old]
            assert self.texts["Archive"].setdefault(new, text) == text
            self.diary[verb].append([old, text])

    def remove(self) -> None:
        uids = self.some("INBOX", 2)
        for uid in self.folders["INBOX"].remove(uids):
            self.diary["removed"].append([uid, self.texts["INBOX"][uid]])

    def expunge(self) -> None:
        uids = self.some("INBOX", 1)
        folder = self.folders["INBOX"]
        folder.store_flags(uids, FlagsOp.ADD, Flag.DELETED, frozenset())
        for uid in folder.expunge(uids):
            self.diary["removed"].append([uid, self.texts["INBOX"][uid]])

    def work(self) -> None:
        verbs = [self.deliver, self.append, self.flag, self.flag, self.copy, self.move]
        verbs += [self.remove, self.expunge]
        for _ in range(ROUNDS):
            self.random.choice(verbs)()
            self.look("INBOX")
            self.look("Archive")

    def end(self) -> dict[str, Any]:
        """The diary with the last picture of each folder."""
        for name in self.folders:
            self.look(name)
            picture, folder = self.pictures[name], self.folders[name]
            infos = folder.infos(picture.uids)
            self.diary[f"{name} picture"] = [
                picture.uidvalidity, picture.uidnext, picture.highestmodseq,
                [[i.uid, i.modseq, int(i.flags), sorted(i.keywords), i.size] for i in infos],
            ]  # fmt: skip
            self.diary[f"{name} texts"] = sorted(self.texts[name].items())
            folder.close()
        self.store.close()
        return self.diary


def run(base: str, number: int, together: Any) -> None:
    """A child: waits for the others, works, waits again, looks."""
    core._COMPACT_BYTES = COMPACT_BYTES
    session = Session(Path(base), number)
    together.wait(60)
    try:
        session.work()
    except BaseException:
        together.abort()
        raise
    together.wait(120)
    diary = session.end()
    Path(base, f"diary-{number}").write_text(json.dumps(diary))
    sys.stdout.flush()
    os._exit(0)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mailbox after all that."""
    base = tmp_path_factory.mktemp("crowd")
    one = OpenStore(base)
    one.folder().close()
    one.close()
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(PROCESSES)
    crew = [
        spawn.Process(target=run, args=(str(base), number, together), daemon=True)
        for number in range(PROCESSES)
    ]
    with children(*crew):
        for child in crew:
            child.join()
        assert [child.exitcode for child in crew] == [0] * PROCESSES
    return base


@pytest.fixture(scope="module")
def diaries(world: Path) -> list[dict[str, Any]]:
    return [json.loads((world / f"diary-{n}").read_text()) for n in range(PROCESSES)]


@pytest.mark.parametrize("name", ["INBOX", "Archive"])
def test_all_pictures_converge(diaries: list[dict[str, Any]], name: str) -> None:
    pictures = [diary[f"{name} picture"] for diary in diaries]
    assert all(picture == pictures[0] for picture in pictures)
    assert pictures[0][3], "the test did something"


@pytest.mark.parametrize("name", ["INBOX", "Archive"])
def test_no_uid_names_two_messages(diaries: list[dict[str, Any]], name: str) -> None:
    known: dict[int, str] = {}
    for diary in diaries:
        for uid, text in diary[f"{name} texts"]:
            assert known.setdefault(uid, text) == text
    # Nobody copied within a folder, so in INBOX each message had one UID for life.
    if name == "INBOX":
        assert len(set(known.values())) == len(known)


def test_each_message_left_inbox_once(diaries: list[dict[str, Any]]) -> None:
    left = [uid for diary in diaries for uid, _ in diary["removed"] + diary["moved"]]
    assert len(left) == len(set(left))


def test_the_diaries_add_up(world: Path, diaries: list[dict[str, Any]]) -> None:
    def all_of(verb: str) -> Counter[str]:
        return Counter(text for diary in diaries for _, text in diary[verb])

    added = Counter(text for diary in diaries for text in diary["added"])
    one = OpenStore(world, node="after")
    for name, expected in {
        "INBOX": added - all_of("removed") - all_of("moved"),
        "Archive": all_of("copied") + all_of("moved"),
    }.items():
        folder = one.folder(name)
        assert Counter(subject(folder.read(uid)) for uid in folder.refresh().uids) == expected
        folder.close()
    one.close()


def test_the_checker_has_nothing_to_say(world: Path) -> None:
    assert list(Checker(world / "mail", SystemClock(), deep=True).everything()) == []


@pytest.mark.parametrize(("name", "path"), [("INBOX", ""), ("Archive", ".Archive")])
def test_the_standard_library_reads_the_same(
    world: Path, diaries: list[dict[str, Any]], name: str, path: str
) -> None:
    one = OpenStore(world, node="after")
    folder = one.folder(name)
    ours = sorted(subject(folder.read(uid)) for uid in folder.refresh().uids)
    folder.close()
    one.close()
    assert referee(one.path(path)) == ours
