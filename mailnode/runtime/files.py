"""The one door for disk writes of store and queue.

Promises: a file made by ``write_new`` or ``replace`` is complete or absent, never half; with
``sync`` its bytes are on the disk before the call returns (its *name* is only after
``fsync_dir`` of the folder). Paths may be ``bytes`` (hot paths) or ``str``.
Fails: ENOSPC and EDQUOT raise ``StorageFull``; trouble with the disk, the mount or our own
limits (EIO, EROFS, ESTALE, EACCES, EMFILE …) raises ``StorageGone``; facts about names
(``FileNotFoundError``, ``FileExistsError``, ``NotADirectoryError``, ``IsADirectoryError``, not
empty) stay what they are, for the caller to judge.
Tests set ``on_step`` to fail or to kill the process before the N-th step.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import BinaryIO, NoReturn

from mailnode.model.errors import MailnodeError, StorageFull, StorageGone

Path = bytes | str
Chunk = bytes | bytearray | memoryview | BinaryIO

# Called with the step's name and path before each step; may raise OSError or never return.
on_step: Callable[[str, Path], None] | None = None

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NAMES = frozenset(
    {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EMLINK}
)
_NO_KERNEL_COPY = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
# Below this a pread and a write are cheaper than asking the kernel to copy.
_SMALL_COPY_BYTES = 256 * 1024
_COPY_BYTES = 1024 * 1024
# Up to this, chunks that are all in memory are put together before they are written.
_JOINED_BYTES = 64 * 1024
# A file up to this is read at once.
AT_HAND_BYTES = 64 * 1024


def storage_error(error: OSError, path: Path) -> MailnodeError | OSError:
    """What to raise for ``error``: our own error, caused by it, or ``error`` itself for facts about
    names. To be raised as it is: an error that is its own cause, or is held by a frame of its
    traceback, is only freed by a search for garbage, with all that its frames hold."""
    if error.errno in _NAMES:
        return error
    cause = f"{os.fsdecode(path)}: {error.strerror or error}"
    found = StorageFull(cause) if error.errno in _FULL else StorageGone(cause)
    found.__cause__ = error
    return found


def _fail(error: OSError, path: Path) -> NoReturn:
    try:
        raise storage_error(error, path)
    finally:
        del error  # this frame is part of its traceback


class storage_errors:  # noqa: N801 - reads as the word it is; a class, for it is used at each step
    """Run a block of reads (``open``, ``listdir`` …) under the same mapping as the writes here."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno not in _NAMES:
            _fail(error, self._path)


def read_at_hand(fd: int) -> bytes | None:
    """A small file whole if it lies in memory, so that no disk is waited for; else ``None``."""
    size = os.fstat(fd).st_size
    if size > AT_HAND_BYTES:
        return None
    buffer = bytearray(size)
    try:
        return bytes(buffer) if os.preadv(fd, [buffer], 0, os.RWF_NOWAIT) == size else None
    except OSError:
        return None  # not in memory, or a file system that cannot tell


def _step(name: str, path: Path) -> None:
    if on_step is not None:
        on_step(name, path)


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte at the descriptor's position; raises bare ``OSError``."""
    written = os.write(fd, data)
    if written < len(data):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]


def _copy_by_hand(source: int, target: int, offset: int) -> int:
    while block := os.pread(source, _COPY_BYTES, offset):
        write_all(target, block)
        offset += len(block)
    return offset


def _copy_file(source: int, target: int) -> int:
    """Copy a whole file to the descriptor's position without holding it; its size in bytes."""
    offset = 0
    if os.fstat(source).st_size > _SMALL_COPY_BYTES:
        try:
            while done := os.copy_file_range(source, target, 1 << 30, offset_src=offset):
                offset += done
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
    # Some file systems end a kernel copy early with 0; the loop finds nothing left otherwise.
    return _copy_by_hand(source, target, offset)


def _write_chunk(fd: int, chunk: Chunk) -> int:
    if isinstance(chunk, bytes | bytearray | memoryview):
        view = chunk if isinstance(chunk, bytes | bytearray) else chunk.cast("B")
        write_all(fd, view)
        return len(view)
    try:
        source = chunk.fileno()
    except OSError:  # io.UnsupportedOperation: a file in memory
        return _write_chunk(fd, _in_memory(chunk))
    return _copy_file(source, fd)


def _in_memory(chunk: BinaryIO) -> bytes:
    at = chunk.tell()
    chunk.seek(0)
    data = chunk.read()
    chunk.seek(at)
    return data


def chunk_size(chunk: Chunk) -> int:
    """How many bytes ``write_new`` would write for it."""
    if isinstance(chunk, bytes | bytearray):
        return len(chunk)
    if isinstance(chunk, memoryview):
        return chunk.nbytes
    try:
        return os.fstat(chunk.fileno()).st_size
    except OSError:  # io.UnsupportedOperation: a file in memory
        return len(_in_memory(chunk))


def write_new(
    path: Path,
    chunks: Sequence[Chunk],
    *,
    mode: int = 0o600,
    mtime: float | None = None,
    sync: bool = True,
) -> int:
    """Make a file that must not exist yet and write the chunks; its size in bytes.

    ``mtime`` (seconds since 1970) is set before the sync. On any failure the file is removed.
    Raises ``FileExistsError``, ``FileNotFoundError`` (no folder), ``StorageFull``,
    ``StorageGone``.
    """
    try:
        fd, size = _create(path, chunks, mode, mtime, sync)
        os.close(fd)
        return size
    except OSError as error:
        _fail(error, path)


def write_open(
    path: Path, chunks: Sequence[Chunk], *, mode: int = 0o600, mtime: float | None = None
) -> tuple[int, int]:
    """The same without waiting for the disk: descriptor and size, for ``sync_and_close``.

    The bytes are on their way when it returns, so that several files which are synced only then
    wait for the disk about once, not once each.
    """
    try:
        fd, size = _create(path, chunks, mode, mtime, sync=False)
    except OSError as error:
        _fail(error, path)
    try:
        # Begins to write what is dirty, and can only drop what is written already.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass  # a file system that does not take the hint
    return fd, size


def sync_and_close(fd: int, path: Path) -> None:
    """Wait until the file is on the disk; closed in any case."""
    try:
        _step("fsync", path)
        os.fsync(fd)
    except OSError as error:
        _fail(error, path)
    finally:
        os.close(fd)


def _create(
    path: Path, chunks: Sequence[Chunk], mode: int, mtime: float | None, sync: bool
) -> tuple[int, int]:
    _step("create", path)
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        return fd, _fill(fd, path, chunks, mtime, sync)
    except BaseException:
        os.close(fd)
        _forget(path)
        raise


def _joined(chunks: Sequence[Chunk]) -> Sequence[Chunk]:
    """The chunks of a short file as one, for one call."""
    size = 0
    for chunk in chunks:
        if not isinstance(chunk, bytes):
            return chunks
        size += len(chunk)
    return chunks if size > _JOINED_BYTES else (b"".join(chunks),)  # type: ignore[arg-type]  # all bytes


def _fill(fd: int, path: Path, chunks: Sequence[Chunk], mtime: float | None, sync: bool) -> int:
    size = 0
    for chunk in _joined(chunks):
        _step("write", path)
        size += _write_chunk(fd, chunk)
    if mtime is not None:
        os.utime(fd, (mtime, mtime))
    if sync:
        _step("fsync", path)
        os.fsync(fd)
    return size


def _forget(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # the first error is the one to tell; a leftover in tmp/ is swept later


def replace(path: Path, data: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Put a small file in place of whatever was there, in one step; durable with ``sync``."""
    suffix = f".{os.getpid()}.{os.urandom(6).hex()}.new"
    fresh: Path = path + suffix.encode() if isinstance(path, bytes) else path + suffix
    write_new(fresh, (data,), mode=mode, sync=sync)
    try:
        rename(fresh, path)
    except BaseException:
        _forget(fresh)
        raise
    if sync:
        fsync_dir(os.path.dirname(path))


def append(fd: int, data: bytes, path: Path) -> None:
    """Append to an ``O_APPEND`` descriptor. After a failure a torn tail may remain."""
    try:
        _step("append", path)
        write_all(fd, data)
    except OSError as error:
        _fail(error, path)


def write_at(fd: int, data: bytes, offset: int, path: Path) -> None:
    """Write at ``offset`` of a descriptor without ``O_APPEND``. After a failure a part of it may
    have been written."""
    try:
        _step("write-at", path)
        while data:
            done = os.pwrite(fd, data, offset)
            data, offset = data[done:], offset + done
    except OSError as error:
        _fail(error, path)


def truncate(fd: int, length: int, path: Path) -> None:
    """Cut a file to ``length`` bytes."""
    try:
        _step("truncate", path)
        os.ftruncate(fd, length)
    except OSError as error:
        _fail(error, path)


def fdatasync(fd: int, path: Path) -> None:
    """Wait until the file's bytes and size are on the disk."""
    try:
        _step("fdatasync", path)
        os.fdatasync(fd)
    except OSError as error:
        _fail(error, path)


def fsync(path: Path) -> None:
    """Wait until a file written before (``write_new`` without ``sync``) is on the disk."""
    try:
        _step("fsync", path)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        _fail(error, path)


def fsync_dir(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    try:
        _step("fsync-dir", path)
        fd = os.open(path or b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        _fail(error, path)


def rename(old: Path, new: Path) -> None:
    """Rename, taking the place of whatever ``new`` was."""
    try:
        _step("rename", new)
        os.rename(old, new)
    except OSError as error:
        _fail(error, new)


def link(old: Path, new: Path) -> None:
    """Give a file a second name; raises ``FileExistsError`` where ``new`` is taken."""
    try:
        _step("link", new)
        os.link(old, new, follow_symlinks=False)
    except OSError as error:
        _fail(error, new)


def unlink(path: Path, *, missing_ok: bool = False) -> bool:
    """Remove a name; False where it was gone already and ``missing_ok``."""
    try:
        _step("unlink", path)
        os.unlink(path)
    except FileNotFoundError:
        if not missing_ok:
            raise
        return False
    except OSError as error:
        _fail(error, path)
    return True


def mkdir(path: Path, *, mode: int = 0o700, exist_ok: bool = False) -> bool:
    """Make a folder; False where it was there already and ``exist_ok``."""
    try:
        _step("mkdir", path)
        os.mkdir(path, mode)
    except FileExistsError:
        if not exist_ok:
            raise
        return False
    except OSError as error:
        _fail(error, path)
    return True


def rmdir(path: Path) -> None:
    """Remove an empty folder."""
    try:
        _step("rmdir", path)
        os.rmdir(path)
    except OSError as error:
        _fail(error, path)


def utime(path: Path, mtime: float) -> None:
    """Set a file's modification time (seconds since 1970)."""
    try:
        _step("utime", path)
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    except OSError as error:
        _fail(error, path)
