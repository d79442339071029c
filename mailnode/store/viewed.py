"""What the node's view is asked, and told, of many messages of a folder at once.

Promises: no disk but the node's own is looked at; what the view cannot do now counts as not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mailnode.store import AccountRef
from mailnode.store.core import FolderCore
from mailnode.store.home import Home
from mailnode.store.lines import Block
from mailnode.store.view import FolderView


class ViewedFolder:
    """The part of ``store.Folder`` that is about search."""

    _core: FolderCore
    _home: Home
    _ref: AccountRef
    mailbox_id: str

    def may_contain(self, uids: Iterable[int], needle: str) -> dict[int, bool]:
        """See ``store.Folder``."""
        return self._view().may_contain(uids, needle)

    def keep_texts(self, texts: Mapping[int, str]) -> None:
        """See ``store.Folder``."""
        self._view().keep_texts(texts)

    def lines(self, kind: str, numbers: Iterable[int]) -> dict[int, Block]:
        """See ``store.Folder``."""
        return self._view().lines(kind, numbers)

    def keep_lines(self, kind: str, lines: Mapping[int, bytes]) -> None:
        """See ``store.Folder``."""
        self._view().keep_lines(kind, lines)

    def _view(self) -> FolderView:
        with self._core.ledger.mutex:
            uidvalidity = self._core.state.header.uidvalidity
        return self._home.services.view.folder(self._ref.user, self.mailbox_id, uidvalidity)
