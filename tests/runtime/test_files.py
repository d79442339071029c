"""Each step of the disk-write door, done and failed on purpose."""

from __future__ import annotations

import errno
import gc
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import StorageFull, StorageGone
from mailnode.runtime import files


class FailAt:
    """Raise at the N-th step; remembers the steps it saw."""

    def __init__(self, number: int, code: int) -> None:
        self.left, self.code, self.seen = number, code, list[str]()

    def __call__(self, step: str, path: bytes | str) -> None:
        self.seen.append(step)
        self.left -= 1
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))


@pytest.fixture(autouse=True)
def no_hook() -> Iterator[None]:
    yield
    files.on_step = None


def test_write_new_writes_all_kinds_of_chunks_and_leaves_the_file_open(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"0123456789" * 100_000)
    with body.open("rb") as spooled:
        spooled.seek(5)
        chunks = (b"a", memoryview(b"bc"), spooled, io.BytesIO(b"end"))
        size = files.write_new(os.fsencode(tmp_path / "f"), chunks, mtime=12345.5)
        assert spooled.tell() == 5
    assert (tmp_path / "f").read_bytes() == b"abc" + body.read_bytes() + b"end"
    assert size == (tmp_path / "f").stat().st_size
    assert (tmp_path / "f").stat().st_mtime == 12345.5


def test_write_new_refuses_an_existing_name(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        files.write_new(str(tmp_path / "f"), (b"new",))
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageGone)],
)
def test_a_failed_write_leaves_nothing(
    tmp_path: Path, step: int, code: int, error: type[Exception]
) -> None:
    files.on_step = FailAt(step, code)
    with pytest.raises(error):
        files.write_new(str(tmp_path / "f"), (b"x",))
    assert os.listdir(tmp_path) == []


def test_a_file_that_was_left_open_is_synced_and_closed_later(tmp_path: Path) -> None:
    hook = files.on_step = FailAt(0, 0)
    fd, size = files.write_open(str(tmp_path / "f"), (b"ab", b"c"), mtime=5.0)
    assert (size, hook.seen) == (3, ["create", "write"])  # a short message is one write
    files.sync_and_close(fd, str(tmp_path / "f"))
    assert hook.seen[2:] == ["fsync"]
    assert (tmp_path / "f").read_bytes() == b"abc"
    assert (tmp_path / "f").stat().st_mtime == 5.0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.parametrize("step", [1, 2])
def test_a_file_that_cannot_be_written_is_not_left_open(tmp_path: Path, step: int) -> None:
    before = os.listdir("/proc/self/fd")
    files.on_step = FailAt(step, errno.ENOSPC)
    with pytest.raises(StorageFull):
        files.write_open(str(tmp_path / "f"), (b"x",))
    assert os.listdir(tmp_path) == []
    assert os.listdir("/proc/self/fd") == before


def test_a_file_that_cannot_be_synced_is_closed_all_the_same(tmp_path: Path) -> None:
    fd, _ = files.write_open(str(tmp_path / "f"), (b"x",))
    files.on_step = FailAt(1, errno.EIO)
    with pytest.raises(StorageGone):
        files.sync_and_close(fd, str(tmp_path / "f"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_replace_keeps_the_old_file_until_the_new_one_is_whole(tmp_path: Path, step: int) -> None:
    (tmp_path / "f").write_bytes(b"old")
    files.on_step = FailAt(step, errno.EROFS)
    with pytest.raises(StorageGone):
        files.replace(str(tmp_path / "f"), b"new")
    # Step 5 is the sync of the folder, after the rename.
    assert (tmp_path / "f").read_bytes() == (b"new" if step == 5 else b"old")
    assert os.listdir(tmp_path) == ["f"]


def test_append_truncate_and_sync(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND)
    files.append(fd, b"one", path)
    files.append(fd, b"two", path)
    files.truncate(fd, 4, path)
    files.fdatasync(fd, path)
    os.close(fd)
    assert Path(path).read_bytes() == b"onet"


def test_names_keep_their_own_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.unlink(str(tmp_path / "none"))
    assert files.unlink(str(tmp_path / "none"), missing_ok=True) is False
    with pytest.raises(FileNotFoundError):
        files.rename(str(tmp_path / "none"), str(tmp_path / "b"))
    files.mkdir(str(tmp_path / "d"))
    assert files.mkdir(str(tmp_path / "d"), exist_ok=True) is False
    (tmp_path / "d" / "x").write_bytes(b"")
    with pytest.raises(OSError, match="not empty"):
        files.rmdir(str(tmp_path / "d"))
    files.link(str(tmp_path / "d" / "x"), str(tmp_path / "y"))
    with pytest.raises(FileExistsError):
        files.link(str(tmp_path / "d" / "x"), str(tmp_path / "y"))


def test_reads_are_mapped_too(tmp_path: Path) -> None:
    with pytest.raises(StorageGone), files.storage_errors(str(tmp_path)):
        raise OSError(errno.ESTALE, "stale")
    with pytest.raises(FileNotFoundError), files.storage_errors(str(tmp_path)):
        os.stat(tmp_path / "none")


def test_an_error_is_freed_without_a_search_for_garbage(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        before = len([one for one in gc.get_objects() if isinstance(one, OSError)])
        for _ in range(5):
            try:
                with files.storage_errors(tmp_path):
                    os.stat(tmp_path / "missing")
            except FileNotFoundError:
                pass
        assert len([one for one in gc.get_objects() if isinstance(one, OSError)]) <= before
    finally:
        gc.enable()


def test_our_own_error_tells_what_caused_it(tmp_path: Path) -> None:
    with pytest.raises(StorageGone) as caught, files.storage_errors(tmp_path):
        raise OSError(errno.EIO, "broken")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EIO


def test_every_step_is_told(tmp_path: Path) -> None:
    hook = files.on_step = FailAt(0, 0)
    files.write_new(str(tmp_path / "f"), (b"x", b"y"))
    files.rename(str(tmp_path / "f"), str(tmp_path / "g"))
    files.fsync_dir(str(tmp_path))
    files.utime(str(tmp_path / "g"), 1.0)
    files.unlink(str(tmp_path / "g"))
    assert hook.seen == [
        "create", "write", "fsync", "rename", "fsync-dir", "utime", "unlink",
    ]  # fmt: skip
