"""One client's session: who it is, what it has selected, what it switched on.

Promises: untagged updates come only from ``send_news``, which compares pictures; no method
touches the transport otherwise than by ``out``.
Fails: domain errors of ``model.errors`` pass through to the dispatcher.
RFC: 3501 3 (states), 5.2, 7.4.1; 7162 3.1.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, TypeVar

from mailnode.access.imap import url_keys
from mailnode.access.imap.context import Context
from mailnode.access.imap.enabled import Enabled
from mailnode.access.imap.means import Means, Out
from mailnode.access.imap.reply import Refused, bad, no, ok
from mailnode.access.imap.selected import URLMECH, News, Selected, renamed_line
from mailnode.access.imap.watch import Watch
from mailnode.model.errors import MailnodeError, NoSuchFolder, StorageFull, StorageGone
from mailnode.runtime.maillog import Event
from mailnode.store import Account, Picture
from mailnode.wire.imap.notify_args import NotifyEvent

T = TypeVar("T")
# A step of a long command is some hundred messages.
STEPS_AT_ONCE = 10
# RFC 9585 4: seconds after which a client may begin to wonder.
PROGRESS_S = 10.0


class State(Enum):
    """RFC 3501 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"
    LOGOUT = "logout"


@dataclass(slots=True)
class Progress:
    """The running command, and when its client last heard of it."""

    tag: str
    told_at: float


class FolderLost(Exception):
    """The selected folder went away or began a new life; the session must end (RFC 2180 3)."""


class Session:
    """The state of one connection; used by one coroutine at a time."""

    __slots__ = (
        "account",
        "enabled",
        "idle_tag",
        "means",
        "out",
        "progress",
        "selected",
        "spools",
        "state",
        "user",
        "watch",
    )

    def __init__(self, means: Means, out: Out) -> None:
        self.means = means
        self.out = out
        self.state = State.NOT_AUTHENTICATED
        self.user = ""
        self.account: Account | None = None
        self.selected: Selected | None = None
        self.enabled = Enabled()
        self.watch: Watch | None = None  # NOTIFY, once the client has used it
        self.idle_tag = ""
        self.progress: Progress | None = None
        self.spools: dict[int, BinaryIO] = {}  # streamed literals of the command being read

    # ------------------------------------------------------------------ who and where

    def owner(self) -> Account:
        """The account; only after login."""
        if self.account is None:
            raise Refused(bad("log in first"))
        return self.account

    def view(self) -> Selected:
        """The selected folder; only in the selected state."""
        if self.selected is None:
            raise Refused(bad("select a mailbox first"))
        return self.selected

    def enter(self, selected: Selected) -> None:
        """Go to the selected state and begin to hear of changes."""
        self.selected = selected
        self.state = State.SELECTED
        self._listen(selected)

    def _listen(self, selected: Selected) -> None:
        key = selected.folder.key
        selected.listen(key, lambda: self.means.hints.subscribe(key, self._heard))

    async def leave(self) -> None:
        """Back to the authenticated state; nothing is expunged."""
        selected, self.selected = self.selected, None
        if selected is None:
            return
        self.state = State.AUTHENTICATED
        selected.silence()
        selected.folder.close()

    async def forget(self) -> None:
        """Give back what we hold and be a stranger again (RFC 8437 3, 4)."""
        account, self.account = self.account, None
        if account is not None:
            self.means.census.leave(self.user, self.out.peer)
        if self.watch is not None:
            self.watch.close()
            self.watch = None
        await self.leave()
        self.enabled = Enabled()
        self.state = State.NOT_AUTHENTICATED

    async def end(self) -> None:
        """The connection is gone."""
        await self.forget()
        self.state = State.LOGOUT

    # ------------------------------------------------------------------ news

    def _heard(self, modseq: int) -> None:
        selected = self.selected
        if selected is None:
            return
        if modseq:
            selected.heard = max(selected.heard, modseq)
        else:
            selected.must_look = True
        if self.restless():
            self.out.wake()

    def restless(self) -> bool:
        """Is there something to be told without waiting for a command?"""
        if self.watch is None and not self.idle_tag:
            return False
        dirty = self.selected is not None and self.selected.dirty
        return self.watch.restless(dirty) if self.watch is not None else dirty

    @property
    def stirred(self) -> bool:
        """Whether ``send_news`` may have anything to do without a look at the disk."""
        selected = self.selected
        return selected is not None and (
            selected.dirty or selected.heard_key != selected.folder.key
        )

    def changed_folder(self, key: str, added: Sequence[int] = ()) -> None:
        """We changed this folder ourselves (``added``: new messages); if it is the selected one,
        look at it afterwards."""
        selected = self.selected
        if selected is not None and selected.folder.key == key:
            selected.must_look = True
            if self.watch is not None or selected.contexts:
                selected.made |= frozenset(added)
        elif self.watch is not None:
            self.watch.mine(key, added)

    def did(self, *names: str) -> None:
        """We are about to change these folders' names, subscriptions or annotations."""
        if self.watch is not None:
            self.watch.own.update(names)

    async def send_news(self, *, look: bool, expunge: bool, own: bool = False) -> None:
        """Tell the client what happened to the selected folder.

        ``look``: at the disk in any case, not only after a hint; ``expunge``: the client may now
        hear that messages are gone. Raises ``FolderLost``.
        """
        selected = self.selected
        if selected is None:
            return
        self._follow(selected)
        if not (look or selected.dirty):
            return
        try:
            news = await self.means.pool.brisk(selected.look)
        except NoSuchFolder:
            raise FolderLost from None
        self._follow(selected)
        await self.tell_news(news, expunge=expunge, own=own)

    def _follow(self, selected: Selected) -> None:
        """RFC 2180 3.4: a folder that was renamed stays selected; only its name is another."""
        if selected.heard_key == selected.folder.key:
            return
        selected.silence()
        self._listen(selected)
        # Nobody told us of changes between the rename and now.
        selected.must_look = True
        name = selected.folder.name
        if name != selected.name and self.enabled.rev2:
            # RFC 9051 6.3.9.7: OLDNAME tells which mailbox it was.
            self.out.write(renamed_line(name, selected.name))
        selected.name = name

    def renamed(self, old: str, new: str) -> None:
        """We renamed a folder: perhaps the selected one, or one above it."""
        selected = self.selected
        if selected is not None and f"{selected.name}/".startswith(f"{old}/"):
            selected.name = new + selected.name[len(old) :]
            selected.must_look = True

    async def tell_news(self, news: News | None, *, expunge: bool, own: bool = False) -> None:
        """Tell what a look has found, or hold it back until EXPUNGE may be told.

        ``own``: the client's own command did it, so it must hear (RFC 5465 is about others).
        """
        selected = self.view()
        self.out.write(selected.new_rights())
        if news is None:
            return
        if news.picture.uidvalidity != selected.picture.uidvalidity:
            raise FolderLost
        await self._tell_keys(news)
        # RFC 3501 7.4.1: message numbers must not move during FETCH, STORE and SEARCH.
        if news.diff.expunged and not expunge:
            selected.must_look = True
            selected.lately.changed(news.picture, news.diff.flagged)  # STORE tells of them
            return
        watch = self.watch
        if watch is not None and not watch.tells_selected and not own:
            selected.must_look = True  # RFC 5465 3.1: not wanted
            return
        for context in selected.contexts.values():
            self.out.write(context.expunged(selected.picture, news.diff.expunged))
        for piece in selected.tell(news, flags=self.tells_flags):
            self.out.write(piece)
            await self.out.drain()
        # RFC 5465 5.2: of what this session made itself no FETCH tells.
        fresh = set(news.diff.added) - selected.made
        selected.made = frozenset()
        for context in list(selected.contexts.values()):
            fresh -= await self._keep_up(context, news, fresh)
        if watch is not None and watch.on_added is not None and fresh:
            await watch.on_added(sorted(fresh))

    @property
    def tells_flags(self) -> bool:
        """Does the client want to hear of flags that others change (RFC 5465 5.3)?"""
        return self.watch is None or NotifyEvent.FLAGS in self.watch.wishes.selected

    async def _tell_keys(self, news: News) -> None:
        """RFC 4467 7 (RESETKEY): sessions that have the mailbox selected hear of other keys. These
        move the modseq on without any message. Where there was none, no URL has lost its worth, so
        that a change that comes with others need not be looked for."""
        selected, diff = self.view(), news.diff
        moved = news.picture.highestmodseq != selected.picture.highestmodseq
        if moved and (selected.keys or not (diff.expunged or diff.added or diff.flagged)):
            now = await self.means.pool.brisk(url_keys.mark, self.owner(), selected.folder.name)
            if now != selected.keys:
                selected.keys = now
                self.out.write(URLMECH)

    async def _keep_up(self, context: Context, news: News, fresh: set[int]) -> set[int]:
        """RFC 5267 4.3: tell what joined and left a result, or that this will be told no more.
        Which of the ``fresh`` messages FETCH has told of."""
        selected, changed = self.view(), (*news.diff.flagged, *news.diff.added)
        now, cache = self.means.clock.now(), self.means.cache
        told = set[int]()
        try:
            lines, joined = await self.work(context.changed(selected, changed, now, cache))
            if context.on_added is not None and (told := fresh & joined):
                # RFC 5465 7: before the ESEARCH.
                await context.on_added(sorted(told))
        except MailnodeError as error:
            log_storage(self, error)
            del selected.contexts[context.tag]
            lines = no("no longer kept up", f'NOUPDATE "{context.tag}"').line("*")
        self.out.write(lines)
        return told

    async def work(self, steps: Generator[None, None, T]) -> T:
        """Have the pool do all of it, a bounded piece at a time; its result. Raises ``Hangup``."""

        def advance() -> list[T]:
            try:
                for _ in range(STEPS_AT_ONCE):
                    next(steps)
            except StopIteration as stop:
                return [stop.value]
            return []

        while not (result := await self.means.pool.run(advance)):
            await self.still_at_it()
        return result[0]

    async def still_at_it(self) -> None:
        """Between two steps of a long command: wait for a slow client, and tell a patient one
        that its command goes on (RFC 9585). Raises ``Hangup``."""
        await self.out.drain()
        now = self.means.clock.monotonic()
        if self.progress is not None and now - self.progress.told_at >= PROGRESS_S:
            self.progress.told_at = now
            # How far it is, nobody knows: RFC 9585 4 allows NIL for both figures, and asks for it
            # where the tag would end the code.
            tag = "NIL" if "]" in self.progress.tag else f'"{self.progress.tag}"'
            code = f"INPROGRESS ({tag} NIL NIL)"
            self.out.write(ok("still working", code).line("*"))

    async def current(self, *, look: bool, expunge: bool) -> Picture:
        """Tell the news, then the picture to answer from: the client's message numbers, with
        flags and modseqs as they are now."""
        if look or self.stirred:
            await self.send_news(look=look, expunge=expunge)
        selected = self.view()
        if not selected.dirty:
            return selected.picture
        return await self.means.pool.brisk(selected.overlaid)

    def tell_reach(self) -> None:
        """RFC 7162 3.2, 6: while EXPUNGE is held back, no client may take the modseqs of other
        messages for the one it has reached."""
        selected = self.selected
        if self.enabled.condstore and selected is not None and selected.must_look:
            modseq = selected.picture.highestmodseq
            self.out.write(b"* OK [HIGHESTMODSEQ %d] the rest is told later\r\n" % modseq)

    def turn_condstore_on(self) -> None:
        """RFC 7162 3.1.8: any command that shows knowledge of CONDSTORE switches it on."""
        if self.enabled.condstore:
            return
        self.enabled.condstore = True
        if self.selected is not None:
            modseq = self.selected.picture.highestmodseq
            self.out.write(b"* OK [HIGHESTMODSEQ %d] CONDSTORE is on now\r\n" % modseq)


def log_storage(session: Session, error: MailnodeError) -> None:
    """Tell the operator what a client was only told to be temporary."""
    if isinstance(error, (StorageGone, StorageFull)):
        session.means.log.event(
            Event.STORAGE,
            path=session.user,
            reason=str(error),
            remedy=error.remedy,
        )


def log_end(session: Session, reason: str, seconds: float) -> None:
    """The connection is over; ``reason`` says why."""
    session.means.log.event(
        Event.DISCONNECTED,
        service="imap",
        peer=session.out.peer,
        user=session.user,
        reason=reason,
        seconds=round(seconds, 3),
    )
