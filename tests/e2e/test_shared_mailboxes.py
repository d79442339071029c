"""Shared and public mailboxes, their readers on two nodes: what one does counts on the other."""

from __future__ import annotations

import imaplib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_nodes import DOMAIN, PASSWORD, ClusterWorld, Node, cluster_world
from tests.support.dialog import Client, Dialog

pytestmark = pytest.mark.timeout(240)
BOX = f'"Other Users/user1@{DOMAIN}/Team"'


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two whole servers on a busy machine may take their time."""
    monkeypatch.setattr("tests.support.dialog.WAIT_S", 60.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ClusterWorld]:
    with cluster_world(tmp_path) as found:
        yield found


class OnNodes(Dialog):
    """Client 1 is user1 on the first node, 2 user2 on the second, 3 user2 on the first, 4 user3 on
    the second; each is logged in before its first line."""

    def __init__(self, one: Node, two: Node) -> None:
        super().__init__((one.host, one.ports["imap"]), {})
        self._who = {
            "1": (one, "user1"),
            "2": (two, "user2"),
            "3": (one, "user2"),
            "4": (two, "user3"),
        }

    def client(self, number: str = "") -> Any:
        name = number or "1"
        if name not in self.clients:
            node, user = self._who[name]
            self.clients[name] = Client((node.host, node.ports["imap"]))
            self.play(
                f"S{name}: * OK\n"
                f'C{name}: login LOGIN {user}@{DOMAIN} "{PASSWORD}"\nS{name}: login OK'
            )
        return self.clients[name]


@pytest.fixture
def nodes(world: ClusterWorld) -> tuple[Node, Node]:
    one, two = world.node("n1"), world.node("n2")
    for node in (one, two):
        node.until_event("peer", heard="yes")
    return one, two


def test_lists_flags_and_rights_across_nodes(world: ClusterWorld, nodes: tuple[Node, Node]) -> None:
    dialog = OnNodes(*nodes)
    dialog.play(
        f"""
        C1: a CREATE Team
        S1: a OK
        C2: a LIST "" "Other Users/*"
        S2: a OK
        C1: b SETACL Team user2 lrswite
        S1: b OK
        C2: b LIST "" "Other Users/*"
        ...2:
        S2: * LIST (\\HasNoChildren) "/" {BOX}
        S2: b OK
        C1+ c APPEND Team {{9+}}\\r\\nSubject:\\n\\r\\n
        S1: c OK
        C1+ d APPEND Team {{9+}}\\r\\nSubject:\\n\\r\\n
        S1: d OK
        C2: c SELECT {BOX} (CONDSTORE)
        ...2:
        S2~ \\* OK \\[UIDVALIDITY (?P<validity>[0-9]+)\\]
        ...2:
        S2~ \\* OK \\[HIGHESTMODSEQ (?P<first>[0-9]+)\\]
        ...2:
        S2: c OK [READ-WRITE]
        C3: a SELECT {BOX} (CONDSTORE)
        ...3:
        S3: a OK
        C3: b IDLE
        S3: +
        C1: e SELECT Team
        ...
        S1: e OK
        # A reader's own flag is told to his session on the other node, and to nobody else.
        C2: d STORE 2 +FLAGS.SILENT (\\Seen)
        S2~ \\* 2 FETCH \\(UID 2 MODSEQ \\((?P<second>[0-9]+)\\)\\)
        S2: d OK
        S3~ \\* 2 FETCH \\(UID 2 FLAGS \\(\\\\Seen( \\\\Recent)?\\) MODSEQ \\($second\\)\\)
        C3: DONE
        S3: b OK
        C1: f NOOP
        S1: f OK
        C1: g SEARCH SEEN
        S1: * SEARCH
        S1: g OK
        # What is common is told to all.
        C3: c IDLE
        S3: +
        C2: e STORE 1 +FLAGS.SILENT (\\Flagged \\Deleted)
        ...2:
        S2: e OK
        S3~ \\* 1 FETCH \\(UID 1 FLAGS \\(\\\\Flagged \\\\Deleted( \\\\Recent)?\\) MODSEQ
        C2: f EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: f OK
        S3: * 1 EXPUNGE
        ...3:
        C3: DONE
        S3: c OK
        # RFC 7162: all that since the first modseq, on the node where it did not happen.
        C3: d ENABLE QRESYNC
        ...3:
        S3: d OK
        C3: e SELECT {BOX} (QRESYNC ($validity $first))
        ...3:
        S3: * VANISHED (EARLIER) 1
        S3~ \\* 1 FETCH \\(UID 2 FLAGS \\(\\\\Seen( \\\\Recent)?\\) MODSEQ \\($second\\)\\)
        S3: e OK
        # Fewer rights are told, and none at all ends the session, on either node.
        C2: g IDLE
        S2: +
        C1: h SETACL Team user2 lr
        ...
        S1: h OK
        S2: * OK [READ-ONLY]
        ...2:
        S2: * OK [PERMANENTFLAGS ()]
        C1: i DELETEACL Team user2
        ...
        S1: i OK
        S2: * BYE
        CLOSED2:
        C3: f NOOP
        ...3:
        S3: * BYE
        CLOSED3:
        """
    )
    dialog.close()
    assert world.findings() == []


def test_notify_tells_of_what_is_shared_on_the_other_node(nodes: tuple[Node, Node]) -> None:
    dialog = OnNodes(*nodes)
    dialog.play(
        f"""
        C2: a NOTIFY SET (subtree "Other Users" (MessageNew MessageExpunge MailboxName))
        S2: a OK
        C1: a CREATE Team
        S1: a OK
        C1: b SETACL Team user2 lr
        S1: b OK
        ...2:
        S2: * LIST (\\HasNoChildren) "/" {BOX}
        C1+ c APPEND Team {{9+}}\\r\\nSubject:\\n\\r\\n
        S1: c OK
        S2: * STATUS {BOX} (UIDNEXT 2 MESSAGES 1
        C1: d DELETEACL Team user2
        S1: d OK
        ...2:
        S2: * LIST (\\NonExistent) "/" {BOX}
        """
    )
    dialog.close()


def test_public_mailbox_that_all_read_and_move_from_at_once(
    world: ClusterWorld, nodes: tuple[Node, Node]
) -> None:
    """Readers on both nodes mark, copy and move at the same time: nothing is lost or twice, and
    each has a \\Seen of his own."""
    one, two = nodes
    done = one.command("public", "add", DOMAIN, "Desk", "--rights", "lrswite")
    assert done.returncode == 0, done.stderr
    client = one.imap("user1")
    for number in range(24):
        text = f"Subject: {number}\r\n\r\ntext\r\n".encode()
        assert client.append("Public/Desk", "", "", text)[0] == "OK"
    _ask_with_imaplib(client)
    taken: dict[str, int] = {}
    failures: list[BaseException] = []

    def work(node: Node, user: str) -> None:
        try:
            taken[user] = _take_from_desk(node.imap(user))
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=pair, daemon=True)
        for pair in ((one, "user1"), (two, "user2"), (two, "user3"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    assert sum(taken.values()) == 24
    subjects = []
    for user in taken:
        mine = two.imap(user)
        mine.select("Archive", readonly=True)
        _, parts = mine.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        subjects += [int(part[1].split(b":")[1]) for part in parts if isinstance(part, tuple)]
        mine.logout()
    assert sorted(subjects) == list(range(24))
    client.logout()
    assert world.findings() == []


def _ask_with_imaplib(client: imaplib.IMAP4) -> None:
    """A client library that knows these commands reads our answers."""
    owner, other = f"user1@{DOMAIN}", f"user2@{DOMAIN}"
    assert client.setacl("Archive", other, "lrs") == ("OK", [b"done"])
    assert client.getacl("Archive") == (
        "OK",
        [f'"Archive" {owner} lrswipkxteacd {other} lrs'.encode()],
    )
    assert client.myrights("Public/Desk") == ("OK", [b'"Public/Desk" lrswited'])
    assert client.deleteacl("Archive", other) == ("OK", [b"done"])
    spaces = b'(("" "/")) (("Other Users/" "/")) (("Public/" "/"))'
    assert client.namespace() == ("OK", [spaces])
    assert client.getquotaroot("Public/Desk")[1] == [
        [b'"Public/Desk" "public"'],
        [b'"public" ()'],
    ]


def test_mail_by_a_folders_own_address(world: ClusterWorld, nodes: tuple[Node, Node]) -> None:
    """RFC 4314 2.1 "p", given on one node and obeyed on the other."""
    one, two = nodes
    dialog = OnNodes(one, two)
    dialog.play("C1: a CREATE Lists\nS1: a OK")
    two.send("user1+lists", "before")
    dialog.play("C1: b SETACL Lists anyone p\nS1: b OK")
    two.send("user1+lists", "after")
    dialog.play(
        """
        C1: c STATUS INBOX (MESSAGES)
        S1: * STATUS "INBOX" (MESSAGES 1)
        S1: c OK
        C1: d STATUS Lists (MESSAGES)
        S1: * STATUS "Lists" (MESSAGES 1)
        S1: d OK
        """
    )
    dialog.close()


def _take_from_desk(client: imaplib.IMAP4) -> int:
    """Take messages one by one, as someone at a desk would; how many were had."""
    had = 0
    while True:
        assert client.select("Public/Desk")[0] == "OK"
        _, (uids,) = client.uid("SEARCH", "ALL")
        if not uids:
            client.logout()
            return had
        uid = uids.split()[had % len(uids.split())].decode()
        client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Seen)")
        status, _ = client.uid("MOVE", uid, "Archive")
        _, (code,) = client.response("COPYUID")
        had += status == "OK" and code is not None
