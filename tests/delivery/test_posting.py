"""RFC 4314 2.1, the right "p": mail to user+Folder@ goes into the folder where anyone may post."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.delivery.local import LocalCourier
from mailnode.delivery.posting import detail_of, folder_for
from mailnode.directory import Mailbox
from mailnode.model.errors import StorageGone
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.tasks import Pool
from mailnode.store import Account, AccountRef
from mailnode.store.acl import Entry
from tests.delivery.test_local import MESSAGE, envelope
from tests.support.fake_store import FakeStore
from tests.support.imap_fixture import maildir_store
from tests.support.smtp_world import FakeClock

USER = "ann@here.test"
REF = AccountRef(USER, "here.test/ann")


class Post:
    """A courier over a store in which ann has some folders."""

    def __init__(self, store: FakeStore) -> None:
        self.store, self.pool = store, Pool(4, "post")
        self.account: Account = store.account(REF)
        self.courier = LocalCourier(
            "+-", store=store, pool=self.pool, log=ListLog(), clock=FakeClock()
        )
        for name in ("Lists", "Work/Now", "Private"):
            self.account.create(name)

    def give(self, folder: str, *entries: Entry) -> None:
        for entry in entries:
            self.account.change_acl(folder, lambda acl, entry=entry: acl.replaced(entry))

    async def send(self, recipient: str) -> Outcome:
        mailbox = Mailbox(USER, REF.maildir, 0, "here.test")
        return (await self.courier.deliver(envelope(1), [MESSAGE], [(recipient, mailbox)]))[0]

    def counts(self) -> dict[str, int]:
        names = [info.name for info in self.account.folders() if info.selectable]
        found = {name: self.account.status(name).messages for name in names}
        return {name: count for name, count in found.items() if count}


@pytest.fixture(params=["fake", "real"])
def post(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Post]:
    make = FakeStore if request.param == "fake" else maildir_store(tmp_path)
    made = Post(make(lambda key, modseq: None))  # type: ignore[arg-type]
    yield made
    made.pool.close()


async def test_into_the_folder_where_anyone_may_post(post: Post) -> None:
    post.give("Lists", Entry("anyone", "p"))
    post.give("Work/Now", Entry("anyone", "lrp"))
    for recipient in ("ann+Lists@here.test", "Ann-lists@here.test", "ann+work/now@alias.test"):
        assert (await post.send(recipient)).ok
    assert post.counts() == {"Lists": 2, "Work/Now": 1}


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (Entry("anyone", "lrswi"),),
        (Entry("bob@here.test", "p"),),
        (Entry("authenticated", "p"),),
        (Entry("anyone", "p"), Entry("anyone", "p", negative=True)),
    ],
)
async def test_without_the_right_into_inbox(post: Post, entries: tuple[Entry, ...]) -> None:
    post.give("Lists", *entries)
    assert (await post.send("ann+Lists@here.test")).ok
    assert post.counts() == {"INBOX": 1}


async def test_what_names_no_folder_goes_into_inbox(post: Post) -> None:
    post.give("Private", Entry("anyone", "p"))
    for detail in ("Work", "Nowhere", "../Private", ".Private", "INBOX", "", "Private/"):
        assert (await post.send(f"ann+{detail}@here.test")).ok
    # Nor does another's address, and what an alias has led here.
    assert (await post.send("team+Private@here.test")).ok
    assert (await post.send("ann@here.test")).ok
    assert post.counts() == {"INBOX": 9}


async def test_case_counts_where_nothing_else_differs(post: Post) -> None:
    post.account.create("LISTS")
    post.give("LISTS", Entry("anyone", "p"))
    assert folder_for(post.account, "lists") == folder_for(post.account, "Lists") == "LISTS"
    post.give("Lists", Entry("anyone", "p"))
    assert folder_for(post.account, "Lists") == "Lists"
    assert folder_for(post.account, "LISTS") == "LISTS"


async def test_while_the_list_cannot_be_read_the_mail_waits(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise StorageGone("away")

    post.give("Lists", Entry("anyone", "p"))
    monkeypatch.setattr(type(post.account), "acl", lambda self, name: gone(name))
    outcome = await post.send("ann+Lists@here.test")
    assert outcome.verdict is Verdict.LATER
    assert outcome.code == "4.3.0"
    monkeypatch.undo()
    assert post.counts() == {}


@pytest.mark.parametrize(
    ("recipient", "delimiters", "detail"),
    [
        ("ann+x@here.test", "+", "x"),
        ("ann+x-y@here.test", "+-", "x-y"),
        ("ann-x+y@here.test", "+-", "x+y"),
        ("ann+x@here.test", "", ""),
        ("+x@here.test", "+", ""),
        ("bob+x@here.test", "+", ""),
        ("ann", "+", ""),
    ],
)
def test_details(recipient: str, delimiters: str, detail: str) -> None:
    assert detail_of(recipient, USER, delimiters) == detail
