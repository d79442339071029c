"""What a header field of some messages says, in the form that SEARCH compares.

It is the same as long as a message lives, so it is kept: a client that searches a small folder
again needs neither the view nor its words decoded.
Promises: answers from what is kept only while the folder is as the picture has it, and may be read.
Fails: ``StorageGone``, ``NoPermission``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mailnode.access.imap.row_cache import WORTH_BYTES, RowCache, is_same
from mailnode.store import Folder, Picture
from mailnode.store.guarded import check_readable
from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.header import field_finder
from mailnode.wire.mime.words import decode_words

_MARK = b"\xff"  # before each value; nothing in UTF-8 has it


class FieldTexts:
    """The fields called ``name`` (any case) of messages of a picture. ``blocks``: the header
    blocks of some UIDs."""

    def __init__(
        self,
        folder: Folder,
        picture: Picture,
        name: str,
        kept: RowCache,
        blocks: Callable[[list[int]], Mapping[int, bytes]],
    ) -> None:
        self._folder, self._picture = folder, picture
        self._name = name.lower().encode()
        self._kept, self._key = kept, (picture.uidvalidity, folder.key, "field", self._name)
        self._blocks = blocks

    def containing(self, uids: Sequence[int], text: str) -> set[int]:
        """Those of these messages that have the field, and ``text`` (in the form of ``casemap``)
        in one of its values."""
        # RFC 9051 6.4.4: an empty string asks for the field's presence.
        needle = text.encode("utf-8", "surrogatepass") or _MARK
        return {uid for uid, found in self._texts(uids).items() if needle in found}

    def _texts(self, uids: Sequence[int]) -> dict[int, bytes]:
        known = self._known()
        texts = {uid: known[uid] for uid in uids if uid in known}
        if len(texts) == len(uids):
            return texts
        missing = [uid for uid in uids if uid not in texts]
        find = field_finder(self._name)
        made = {uid: _text(find(block)) for uid, block in self._blocks(missing).items()}
        self._kept.keep(
            self._key, {uid: text for uid, text in made.items() if len(text) <= WORTH_BYTES}
        )
        return texts | made

    def _known(self) -> Mapping[int, bytes]:
        if not is_same(self._folder.picture(), self._picture):
            return {}
        check_readable(self._folder)
        return self._kept.of(self._key)


def _text(values: Sequence[bytes]) -> bytes:
    coded = (casemap(decode_words(value)).encode("utf-8", "surrogatepass") for value in values)
    return b"".join(_MARK + value for value in coded)
