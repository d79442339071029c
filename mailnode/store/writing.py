"""Being a folder's only writer, as a block of code is: the lock, and the turn that a change takes.

Classes, not generators: a change of one message is some hundred calls, and each of these blocks
is entered for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailnode.store.state import FolderState

if TYPE_CHECKING:
    from mailnode.store.core import FolderCore
    from mailnode.store.ledger import Ledger


class Hold:
    """See ``Ledger.hold``."""

    __slots__ = ("_ledger",)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __enter__(self) -> None:
        self._ledger.take()

    def __exit__(self, *exc: object) -> None:
        self._ledger.give_back()


class UnderWay:
    """See ``Ledger.under_way``."""

    __slots__ = ("_ledger", "_offset")

    def __init__(self, ledger: Ledger, offset: int) -> None:
        self._ledger, self._offset = ledger, offset

    def __enter__(self) -> None:
        self._ledger.begin(self._offset)

    def __exit__(self, *exc: object) -> None:
        self._ledger.finish()


class Turn:
    """See ``FolderCore.changing``."""

    __slots__ = ("_before", "_core")

    def __init__(self, core: FolderCore) -> None:
        self._core, self._before = core, 0

    def __enter__(self) -> FolderState:
        core = self._core
        core.ledger.take()
        try:
            core.context.fence()
            core.catch_up()
            core.make_sound()
            self._before = core.state.modseq
        except BaseException:
            core.ledger.give_back()
            raise
        return core.state

    def __exit__(self, kind: object, *exc: object) -> None:
        core = self._core
        try:
            if kind is None:
                core.context.fence()
                core.compact_if_due()
        finally:
            try:
                core.ledger.give_back()
            finally:
                core.tell(self._before)
