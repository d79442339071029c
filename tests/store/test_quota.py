from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mailnode.model.errors import OverQuota
from mailnode.store import AccountRef, Delivery
from mailnode.store.ledger import FolderBusy
from mailnode.store.quota import Quota, count_files, read_use
from tests.support.mail_store import REF, OpenStore, message


@pytest.fixture
def account(tmp_path: Path) -> bytes:
    for part in ("cur", "new", "tmp", ".Sub/cur", ".Sub/new"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "cur/1.a,S=10:2,").write_bytes(b"")
    (tmp_path / ".Sub/new/2.b").write_bytes(b"12345")
    return os.fsencode(tmp_path)


def quota(account: bytes, recheck_s: float = 900.0) -> Quota:
    return Quota(account, 1.0, recheck_s)


def test_the_first_use_counts_the_files(account: bytes, tmp_path: Path) -> None:
    assert read_use(account) is None
    use = quota(account).use(100)
    assert (use.used_bytes, use.messages, use.limit_bytes) == (15, 2, 100)
    assert (tmp_path / "maildirsize").read_text() == "100S\n15 2\n"
    assert read_use(account) == count_files(account) == (15, 2)


def test_changes_are_lines_and_are_summed_up(account: bytes, tmp_path: Path) -> None:
    one = quota(account)
    for _ in range(2000):
        one.charge(7, 1, 0)
    assert read_use(account) == (15 + 14000, 2002)
    assert (tmp_path / "maildirsize").stat().st_size < 5200
    assert one.charge(-14000, -2000, 0).used_bytes == 15


def test_over_the_limit_counts_again_but_not_all_the_time(account: bytes, tmp_path: Path) -> None:
    one = quota(account)
    (tmp_path / "maildirsize").write_text("20S\n19 3\n")
    one.charge(5, 1, 20)  # the recount found room
    with pytest.raises(OverQuota):
        one.charge(1, 1, 20)
    (tmp_path / "cur/1.a,S=10:2,").unlink()
    with pytest.raises(OverQuota):
        one.charge(1, 1, 20)
    assert quota(account, recheck_s=0.0).charge(1, 1, 20).messages == 2


@pytest.mark.parametrize("ruin", ["", "nonsense", "5S\n1 x\n", "5S\n-5 1\n", "5S\n1\n", "\n\n"])
def test_nonsense_is_counted_anew(account: bytes, tmp_path: Path, ruin: str) -> None:
    (tmp_path / "maildirsize").write_text(ruin)
    assert quota(account).charge(1, 1, 0).used_bytes == 16


def test_the_last_room_is_given_once(account: bytes) -> None:
    got: list[int] = []

    def grab() -> None:
        try:
            one.charge(10, 1, 45)
            got.append(1)
        except OverQuota:
            pass

    one = quota(account)
    one.use(45)
    threads = [threading.Thread(target=grab) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 3


def test_a_lock_that_never_comes_free(account: bytes) -> None:
    import fcntl

    one = Quota(account, 0.05, 900.0)
    one.use(0)
    with open(account + b"/maildirsize", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FolderBusy):
            one.use(0)


def test_deliveries_report_their_use(opened: OpenStore) -> None:
    ref = AccountRef(REF.user, REF.maildir, 1000)
    opened.store.accept([Delivery(ref, message("a")), Delivery(ref, message("b"))])
    size = len(message("a").chunks[0])  # type: ignore[arg-type]
    assert opened.uses == [(REF.user, size, 1), (REF.user, 2 * size, 2)]
    assert opened.path("maildirsize").read_text().startswith("1000S\n")
