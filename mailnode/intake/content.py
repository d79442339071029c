"""A message on its way in: read in bulk, held in memory up to a limit, then in a file.

Promises: memory per message is bounded by ``memory_bytes`` (plus what one read brings); the file
has no name, so that nothing is left of it whatever happens. What fails while a message is read
is kept and told after its end, so that the dialog stays in step.
"""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from mailnode.intake.wire import Gone, Wire
from mailnode.model.errors import MailnodeError, StorageGone
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime import files
from mailnode.runtime.tasks import Pool
from mailnode.wire.smtp.data import ContentCheck, DataReader
from mailnode.wire.smtp.reply import TOO_LARGE

# Part of a message that is looked at for its header.
HEAD_BYTES = 65_536
# How much is read beyond the size limit before the connection is given up.
_PATIENCE_BYTES = 64 * 1024 * 1024


class Body:
    """The content of one message. Close it whatever happens."""

    def __init__(self, *, memory_bytes: int, folder: str, pool: Pool, check: ContentCheck) -> None:
        self.check = check
        self.head = b""
        self._memory_bytes = memory_bytes
        self._folder = folder
        self._pool = pool
        self._pieces: list[bytes] = []
        self._held = 0
        self._file: BinaryIO | None = None
        self._failed: MailnodeError | None = None
        self._last = b""

    async def add(self, piece: bytes) -> None:
        """Take the next piece; dropped once something failed."""
        if self._failed is not None or self.check.fault is not None:
            self._pieces.clear()
            return
        self._pieces.append(piece)
        self._held += len(piece)
        self._last = piece[-2:] if len(piece) > 1 else (self._last + piece)[-2:]
        if self._held > self._memory_bytes:
            await self._spill()

    async def finish(self, *, line_end: bool = False) -> Outcome | None:
        """The content is complete; why it cannot be taken, or ``None``.

        ``line_end``: give the last line its end where BDAT left it out.
        """
        if line_end and self._last != b"\r\n" and self.check.fault is None:
            await self.add(b"\r\n")
        fault = self.check.fault
        if fault is not None:
            return Outcome(Verdict.NEVER, fault.code, fault.text)
        if self._file is None:
            self._pieces = [b"".join(self._pieces)]
            self.head = self._pieces[0][:HEAD_BYTES]
        elif self._pieces:
            await self._spill()
        if self._failed is not None:
            code = "4.3.0" if isinstance(self._failed, StorageGone) else "4.3.1"
            return Outcome(Verdict.LATER, code, self._failed.public, str(self._failed))
        return None

    def chunks(self) -> list[bytes | memoryview | BinaryIO]:
        """The finished content."""
        return [self._file] if self._file is not None else list(self._pieces)

    def close(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _spill(self) -> None:
        pieces, self._pieces, self._held = self._pieces, [], 0
        try:
            await self._pool.run(self._write, pieces)
        except OSError as error:
            failure = files.storage_error(error, self._folder or "temporary folder")
            self._failed = (
                failure if isinstance(failure, MailnodeError) else StorageGone(str(error))
            )

    def _write(self, pieces: list[bytes]) -> None:
        if self._file is None:
            self.head = b"".join(pieces)[:HEAD_BYTES]
            opened = tempfile.TemporaryFile(buffering=0, dir=self._folder or None)  # noqa: SIM115 - closed by close()
            self._file = cast(BinaryIO, opened)
        fd = self._file.fileno()
        for piece in pieces:
            files.write_all(fd, piece)


async def read_data(wire: Wire, body: Body) -> None:
    """Read up to the end of DATA (RFC 5321 4.1.1.4)."""
    reader = DataReader(body.check)
    limit = body.check.size_limit + _PATIENCE_BYTES
    while True:
        fed = reader.feed(await wire.read())
        if fed.content:
            await body.add(fed.content)
        if fed.done:
            wire.unread(fed.rest)
            return
        if body.check.size > limit:
            wire.send(TOO_LARGE)
            raise Gone


async def read_chunk(wire: Wire, size: int, body: Body | None) -> None:
    """Read the octets of one BDAT (RFC 3030 2); without a body they are thrown away."""
    while size > 0:
        piece = await wire.read()
        if len(piece) > size:
            wire.unread(piece[size:])
            piece = piece[:size]
        size -= len(piece)
        if body is not None:
            body.check.look(piece)
            await body.add(piece)
