"""Filling the view while clients idle, so that their next search or sort is a quick one.

Promises: one folder at a time in a worker, for ``BUDGET_S`` of each turn at most; the newest
messages first; nothing is read twice, and a folder that is complete is left alone until mail comes.
Fails: never; what cannot be read now is left to the search itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mailnode.access.imap import lines
from mailnode.access.imap.means import Means
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.search_match import searchable_texts
from mailnode.access.imap.selected import Selected
from mailnode.access.imap.session import Session
from mailnode.model.errors import MailnodeError, NoSuchMessage
from mailnode.runtime.clock import Clock
from mailnode.store import Account, Folder

# Of every turn, which comes each few seconds: a tenth of a core at most.
BUDGET_S = 0.5
BATCH = 20
# Header fields and sort keys that many ask for.
FIELDS = ("subject", "from", "to")
KEYS = ("subject", "date", "sender")
# Some 200 000 messages: to see whether all is there costs 30 ms then.
MAX_PIECES = 24
MAX_REMEMBERED = 10_000


class Filler:
    """One for each worker."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._complete: dict[str, int] = {}  # folder key to the UIDNEXT it was complete at
        self._turns: Counter[str] = Counter()
        self._busy = False

    async def turn(self, sessions: Iterable[Session]) -> None:
        """Work a little on the folder of one client that idles; who had fewest turns is first."""
        due = [(one.selected, one.account) for one in sessions if self._is_due(one)]
        if self._busy or not due:
            return
        selected, account = min(due, key=lambda pair: self._turns[_key(pair[0])])
        if selected is None or account is None:
            return
        key, uidnext, name = selected.folder.key, selected.picture.uidnext, selected.folder.name
        self._turns[key] += 1
        self._busy = True
        try:
            means = self._means
            if await means.pool.run(fill, account, name, means.cache, means.clock):
                self._remember(key, uidnext)
        except MailnodeError:
            self._remember(key, uidnext)  # the search that needs it will meet the same, and say so
        finally:
            self._busy = False

    def _is_due(self, session: Session) -> bool:
        selected = session.selected
        if not session.idle_tag or selected is None:
            return False
        return self._complete.get(selected.folder.key, 0) < selected.picture.uidnext

    def _remember(self, key: str, uidnext: int) -> None:
        if len(self._complete) >= MAX_REMEMBERED:
            self._complete.clear()
            self._turns.clear()
        self._complete[key] = uidnext


def _key(selected: Selected | None) -> str:
    return selected.folder.key if selected is not None else ""


def fill(account: Account, name: str, cache: MessageCache, clock: Clock) -> bool:
    """Blocking: keys and texts of messages that have none yet; True once all have. Raises
    ``NoSuchFolder``, ``StorageGone``."""
    ends_at = clock.monotonic() + BUDGET_S
    folder = account.open(name, True)
    try:
        picture = folder.refresh()
        known = folder.may_contain(reversed(picture.uids), "")
        todo = [uid for uid, indexed in known.items() if not indexed]
        for at in range(0, len(todo), BATCH):
            if clock.monotonic() >= ends_at:
                return False
            _fill_some(folder, picture.uidvalidity, todo[at : at + BATCH], cache)
        return all(clock.monotonic() < ends_at for _ in _fill_lines(folder, picture.uids))
    finally:
        folder.close()


def _fill_lines(folder: Folder, uids: Sequence[int]) -> Iterator[None]:
    """Steps: lines of what is searched and sorted by most, of the newest messages."""
    rows = range(len(uids))
    if not lines.are_worth_it(uids, rows):
        return
    kinds = [(lines.field_kind(name), lines.field_lines(folder, name)) for name in FIELDS]
    kinds += [(lines.key_kind(name), lines.key_lines(folder, name)) for name in KEYS]
    newest = list(lines.in_pieces(uids, rows))[-MAX_PIECES:]
    for kind, make in kinds:
        for pieces in reversed(newest):
            yield from lines.filled(folder, kind, pieces, make)
            yield


def _fill_some(folder: Folder, uidvalidity: int, uids: Sequence[int], cache: MessageCache) -> None:
    folder.summaries(uids, "bodystructure")  # and the envelope with it
    folder.summaries(uids, "sortkeys")
    folder.summaries(uids, "growth")
    texts: dict[int, str] = {}
    for uid in uids:
        try:
            message = cache.load(folder, uidvalidity, uid)
        except NoSuchMessage:
            continue
        texts[uid] = "\n".join(searchable_texts(message.data, message.root))
    folder.keep_texts(texts)
