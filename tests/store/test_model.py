"""Two processes' views of one folder against a plain model, whatever order things happen in."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from mailnode.model.flags import Flag
from mailnode.store import FlagsOp
from mailnode.store import core as core_module
from tests.support.mail_store import REF, OpenStore, findings, message, texts

views = st.integers(0, 1)
some_uids = st.lists(st.integers(1, 15), max_size=5)
some_flags = st.integers(0, 31).map(Flag)
some_ops = st.sampled_from(FlagsOp)
some_words = st.frozensets(st.sampled_from(["work", "$Junk", "Later"]))


class FolderMachine(RuleBasedStateMachine):
    """``mail`` is the model: UID to text, flags and keywords."""

    @initialize()
    def start(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="mailnode-model-"))
        self.stores = [OpenStore(self.base, node) for node in ("a", "b")]
        self.folders = [store.folder() for store in self.stores]
        self.pictures = [folder.refresh() for folder in self.folders]
        self.mail: dict[int, tuple[str, Flag, frozenset[str]]] = {}
        self.uidnext, self.serial = 1, 0

    def teardown(self) -> None:
        if hasattr(self, "base"):
            for folder in self.folders:
                folder.refresh()
            for store in self.stores:
                store.close()
            found = findings(self.base / "mail")
            shutil.rmtree(self.base)
            assert found == []

    def store_text(self, flags: Flag, words: frozenset[str]) -> str:
        self.serial += 1
        text = f"m{self.serial}"
        self.mail[self.uidnext] = (text, flags, words)
        self.uidnext += 1
        return text

    @rule(view=views, flags=some_flags, words=some_words)
    def append(self, view: int, flags: Flag, words: frozenset[str]) -> None:
        uid = self.uidnext
        new = message(self.store_text(flags, words), flags, words)
        assert self.folders[view].append([new]) == [uid]

    @rule(view=views, count=st.integers(1, 3))
    def deliver(self, view: int, count: int) -> None:
        self.stores[view].deliver(*(self.store_text(Flag(0), frozenset()) for _ in range(count)))

    @rule(
        view=views, uids=some_uids, op=st.sampled_from(FlagsOp), flags=some_flags, words=some_words
    )
    def change_flags(
        self, view: int, uids: list[int], op: FlagsOp, flags: Flag, words: frozenset[str]
    ) -> None:
        result = self.folders[view].store_flags(uids, op, flags, words)
        changed = []
        for uid in sorted(set(uids) & self.mail.keys()):
            text, old, kept = self.mail[uid]
            if op is FlagsOp.ADD:
                new = (old | flags, kept | words)
            elif op is FlagsOp.REMOVE:
                new = (old & ~flags, kept - words)
            else:
                new = (flags, words)
            if new != (old, kept):
                changed.append(uid)
            self.mail[uid] = (text, *new)
        assert result.changed == tuple(changed)
        assert set(result.gone) == set(uids) - self.mail.keys()

    @rule(view=views)
    def expunge(self, view: int) -> None:
        doomed = [uid for uid, (_, flags, _) in self.mail.items() if flags & Flag.DELETED]
        assert self.folders[view].expunge() == doomed
        for uid in doomed:
            del self.mail[uid]

    @rule(view=views, uids=some_uids)
    def copy_here(self, view: int, uids: list[int]) -> None:
        here = sorted(set(uids) & self.mail.keys())
        expected = list(zip(here, range(self.uidnext, self.uidnext + len(here)), strict=True))
        assert self.folders[view].copy(uids, self.folders[view]) == expected
        for old, new in expected:
            self.mail[new] = self.mail[old]
        self.uidnext += len(here)

    @rule(view=views)
    def reopen(self, view: int) -> None:
        self.folders[view].close()
        self.stores[view].store._services.shelf.close()
        self.folders[view] = self.stores[view].folder()
        self.pictures[view] = self.folders[view].refresh()

    @rule(view=views)
    def compact(self, view: int) -> None:
        kept, core_module._COMPACT_BYTES = core_module._COMPACT_BYTES, 1
        try:
            with self.folders[view]._core.changing():
                pass
        finally:
            core_module._COMPACT_BYTES = kept

    @rule(view=views)
    def check(self, view: int) -> None:
        before = self.folders[view].refresh()
        assert self.folders[view].refresh(rescan=True) is before

    @rule(view=views)
    def look(self, view: int) -> None:
        folder, old = self.folders[view], self.pictures[view]
        new = self.pictures[view] = folder.refresh()
        diff = folder.diff(old, new)
        assert (set(old.uids) - set(diff.expunged)) | set(diff.added) == set(new.uids)
        assert sorted(folder.vanished_since(old.highestmodseq, old.uids) or []) == list(
            diff.expunged
        )
        assert list(new.uids) == sorted(self.mail)
        assert new.uidnext == self.uidnext
        for info in folder.infos(new.uids):
            assert (info.flags, info.keywords) == self.mail[info.uid][1:]
        assert texts(folder) == [self.mail[uid][0] for uid in new.uids]

    @invariant()
    def use_is_right(self) -> None:
        if hasattr(self, "mail"):
            assert self.stores[0].store.account(REF).quota().messages == len(self.mail)


def test_folder_follows_the_model() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        FolderMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
