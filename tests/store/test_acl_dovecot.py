"""Access control lists that a real Dovecot wrote are read, and it reads ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailnode.store.acl import Acl, Entry, read, write
from tests.support.dovecot import AVAILABLE, WHY_NOT, Dovecot

pytestmark = pytest.mark.skipif(not AVAILABLE, reason=WHY_NOT)


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    one = Dovecot()
    plugin = "mail_plugins = acl\nplugin {\n  acl = vfile\n}\n"
    one._config.write_text(one._config.read_text() + plugin)
    yield one
    one.close()


def test_lists_go_both_ways(dovecot: Dovecot) -> None:
    folder = bytes(dovecot.mail / ".Team")
    dovecot.doveadm("mailbox", "create", "Team")
    dovecot.doveadm("acl", "set", "Team", "user=bob@example.test", "lookup", "read", "write-seen")
    dovecot.doveadm("acl", "set", "Team", "group=example.test", "lookup")
    dovecot.doveadm("acl", "set", "Team", "user=two words@example.test", "lookup")
    theirs = read(folder)
    assert set(theirs.entries) == {
        Entry("bob@example.test", "lrs"),
        Entry("@example.test", "l"),
        Entry("two words@example.test", "l"),
    }
    ours = (
        *theirs.entries,
        Entry("anyone", "lrswipkxtea"),
        Entry('a "quoted" name@example.test', "lr"),
        Entry("eve@example.test", "wt", negative=True),
    )
    write(folder, Acl(ours))
    dovecot.give_back()
    lines = dovecot.doveadm("-f", "tab", "acl", "get", "Team").splitlines()[1:]
    found = {line.split("\t")[0]: line.split("\t")[-1] for line in lines}
    assert found == {
        "anyone": "admin create delete expunge insert lookup post read write write-deleted "
        "write-seen",
        "group=example.test": "lookup",
        "user=bob@example.test": "lookup read write-seen",
        "user=two words@example.test": "lookup",
        'user=a "quoted" name@example.test': "lookup read",
        "user=eve@example.test": "-write -write-deleted",
    }
    dovecot.doveadm("acl", "set", "Team", "user=bob@example.test", "lookup")
    assert read(folder).find("bob@example.test") == Entry("bob@example.test", "l")
