"""One client: what it asks, what must come of it, and what it keeps from one folder to the next.

A step by chance is one command, several at once (those that name messages by UID, RFC 3501 5.5),
or a little story (SELECT, IDLE, a new connection). The rules of steps are in ``steps``.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.stress.facts import Facts
from tests.stress.mirror import Memory, Mirror, expand
from tests.stress.talk import Gone, Response, Talk, Wrong

TIMEOUT_S = 60.0
# RFC 3501 7.4.1 and 5256, 5267: while one of these runs, message numbers stay.
NUMBERS_STAY = ("FETCH", "STORE", "SEARCH", "SORT", "THREAD")
# Nobody deletes or renames these.
LASTING_FOLDERS = ("INBOX", "Common", "Common/Deep")
PASSING_FOLDERS = ("P1", "P2", "P2/Q", "P3")
# These the owner shares with readers: who has every right there, and in the other now these rights,
# now those.
SHARED_FOLDERS = ("Common", "Common/Deep")
SHIFTING = "Common/Deep"
FULL_RIGHTS = "lrswipte"
# What a reader may hear of what he has no right to any more.
RIGHTLESS = ("NOPERM", "NONEXISTENT", "TRYCREATE", "READ-ONLY", "CANNOT")
# What an honest server may say when others are faster.
LATE = ("NONEXISTENT", "TRYCREATE", "ALREADYEXISTS", "HASCHILDREN", "CANNOT", "UNAVAILABLE")
CONDSTORE_WORDS = (b"MODSEQ", b"CHANGEDSINCE", b"(CONDSTORE)")
TRAITS = ("condstore", "qresync", "rev2", "uidonly", "compress", "notify", "utf8")


@dataclass
class Asked:
    """A command; ``check`` judges it once it is answered. ``numbers``: it names messages by
    number, so that EXPUNGE may not come in between. ``codes``: of a NO that is no fault."""

    name: str
    text: bytes
    check: Callable[[Asked], None] | None = None
    numbers: bool = False
    codes: tuple[str, ...] = ()
    tag: str = ""
    untagged: list[Response] = field(default_factory=list)
    result: Response | None = None

    @property
    def ok(self) -> bool:
        return self.result is not None and self.result.kind == "OK"

    def code(self, name: str) -> list[str]:
        """The words of a response code, tagged or not; empty for none."""
        for one in (*self.untagged, *([self.result] if self.result else [])):
            words = one.code.split(" ")
            if words[0] == name:
                return words[1:] or [""]
        return []

    def of(self, kind: str) -> list[Response]:
        return [one for one in self.untagged if one.kind == kind]


@dataclass(frozen=True)
class Place:
    """A way to the mailboxes: a node's IMAP port, and who logs in. ``owner``: of the mailboxes
    that are shared with who logs in, empty for him himself. ``tls``: the port with TLS from the
    start, and ``smtp``: where mail comes in; 0: this is not tried."""

    host: str
    port: int
    user: str
    password: str
    owner: str = ""
    tls: int = 0
    smtp: int = 0


class Client:
    """See above; one thread at a time."""

    def __init__(
        self, name: str, places: list[Place], facts: Facts, seed: int, trace: Path | None = None
    ) -> None:
        self.trace = trace / name if trace is not None else None
        self.name, self.places, self.facts = name, places, facts
        self.user, self.owner = places[0].user, places[0].owner
        self.chance = random.Random(seed)
        self.keyword = f"own-{name}"
        self.own: dict[tuple[str, int], bool] = {}  # our keyword on messages, by mailbox and UID
        self.unsure = Counter[
            int
        ]()  # UIDs whose keyword is being changed, and by how many commands
        self.memories: dict[str, Memory] = {}
        self.ids: dict[str, str] = {}  # MAILBOXID of the lasting folders
        self.counts: dict[str, int] = {}
        self.made = 0
        self.talk: Talk | None = None
        self.mirror: Mirror | None = None
        self.folder = ""
        self.read_only = False
        self._next: tuple[Mirror, str, bool] | None = None
        self.traits: frozenset[str] = frozenset()
        self.condstore = False
        self.delayed = False  # NOTIFY tells of EXPUNGE only where a command allows it
        self.contexts: dict[str, set[int]] = {}
        self.later: list[Callable[[], None]] = []  # questions that a check leaves open
        self._queue: deque[Asked] = deque()
        self._tags = 0

    # -- the connection --------------------------------------------------------------------------

    def connect(self, traits: Sequence[str] = TRAITS) -> None:
        """A new connection to a node by chance, with some of these extensions by chance."""
        self.close()
        place = self.chance.choice(self.places)
        tls = self.chance.choice(["", "", "start", "whole"]) if place.tls else ""
        port = place.tls if tls == "whole" else place.port
        self.talk = Talk((place.host, port), TIMEOUT_S, self.trace, tls=tls == "whole")
        self._must(self.talk.response(), "OK")
        if tls == "start":
            self.ask("STARTTLS", "STARTTLS")
            self.talk.secure()
        self.log_in(traits)

    def log_in(self, traits: Sequence[str] = TRAITS) -> None:
        """On a connection where nobody is logged in."""
        assert self.talk
        self.ask("LOGIN", f'LOGIN "{self.user}" "{self.places[0].password}"')
        self.traits = frozenset(one for one in traits if self.chance.random() < 0.35)
        enabled = {"qresync": "QRESYNC", "rev2": "IMAP4rev2", "uidonly": "UIDONLY"}
        enabled |= {"condstore": "CONDSTORE", "utf8": "UTF8=ACCEPT"}
        if "compress" in self.traits:
            self.ask("COMPRESS", "COMPRESS DEFLATE")
            self.talk.compress()
        words = [enabled[one] for one in sorted(self.traits) if one in enabled]
        if words:
            self.ask("ENABLE", f"ENABLE {' '.join(words)}")
        self.condstore = bool({"qresync", "condstore"} & self.traits)
        self.delayed = False
        if "notify" in self.traits:
            which = self.chance.choice(["SELECTED", "SELECTED-DELAYED"])
            events = "(MessageNew MessageExpunge FlagChange)"
            self.delayed = which == "SELECTED-DELAYED"
            self.ask("NOTIFY", f"NOTIFY SET ({which} {events}) (PERSONAL {events})")

    def unauthenticate(self) -> None:
        """RFC 8437 3, 4.1: the connection is as if nobody had logged in, and stays."""
        assert self.talk
        self.ask("UNAUTHENTICATE", "UNAUTHENTICATE")
        self.talk.plain()
        self._reset()
        self.traits, self.condstore, self.delayed = frozenset(), False, False

    def close(self) -> None:
        """Hang up without a word."""
        self._reset()
        if self.talk is not None:
            self.talk.close()
            self.talk = None

    def _reset(self) -> None:
        """What ends with a login."""
        self._left()
        self._queue.clear()
        self.later.clear()
        self._next = None
        # A command may have been done or not.
        for uid in self.unsure:
            for key in [key for key in self.own if key[1] == uid]:
                del self.own[key]
        self.unsure.clear()

    # -- names and rights ------------------------------------------------------------------------

    def home(self, name: str) -> str:
        """Whose mailbox it is that we call so."""
        return self.owner if self.owner and name in SHARED_FOLDERS else self.user

    def full(self, name: str) -> str:
        """As the server calls it."""
        home = self.home(name)
        return name if home == self.user else f"Other Users/{home}/{name}"

    def spell(self, name: str) -> str:
        """As it stands in a command."""
        return f'"{self.full(name)}"'

    def firm(self, name: str) -> bool:
        """Whether it lasts, and what we may do there."""
        return name in LASTING_FOLDERS and not (self.owner and name == SHIFTING)

    @property
    def loose(self) -> bool:
        """Whether our rights to what is selected come and go."""
        return bool(self.owner) and self.folder == SHIFTING

    def shifting(self, asked: Asked) -> bool:
        """Whether a right that it needs may be gone."""
        named = bool(self.owner) and self.spell(SHIFTING).encode() in asked.text
        return self.loose or named

    # -- selecting -------------------------------------------------------------------------------

    def _left(self) -> None:
        """The folder is not selected any more."""
        if self.mirror is not None:
            memory = self.mirror.memory()
            if memory is not None:
                self.memories[self.folder] = memory
        self.mirror, self.folder, self.contexts = None, "", {}

    def leave(self) -> None:
        """After CLOSE and the like."""
        self._left()

    def enter(self, mirror: Mirror, folder: str, read_only: bool) -> None:
        """SELECT is about to be sent. RFC 7162 3.2.11: what comes before CLOSED is still of the
        folder selected now."""
        if self.mirror is None:
            self.mirror, self.folder, self.read_only = mirror, folder, read_only
        else:
            self._next = mirror, folder, read_only

    def _closed(self) -> None:
        self._left()
        if self._next is not None:
            (self.mirror, self.folder, self.read_only), self._next = self._next, None

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, name: str, text: str, codes: tuple[str, ...] = ()) -> Asked:
        """One command whose answer is wanted now."""
        (asked,) = self.run([Asked(name, text.encode(), codes=codes)])
        return asked

    def run(self, commands: list[Asked]) -> list[Asked]:
        """Send them all at once, then judge each as it is answered."""
        self.overhear()
        self.post(commands)
        for asked in commands:
            self.finish(asked)
        while self.later and not self._queue:
            self.later.pop(0)()
        return commands

    def post(self, commands: list[Asked]) -> None:
        """Only send."""
        assert self.talk
        for asked in commands:
            self._tags += 1
            asked.tag = f"{self.name}{self._tags}"
            self._queue.append(asked)
            self.counts[asked.name] = self.counts.get(asked.name, 0) + 1
        self.talk.send(b"".join(b"%b %b\r\n" % (one.tag.encode(), one.text) for one in commands))

    def finish(self, asked: Asked) -> None:
        """Read up to its tagged response, and judge it."""
        assert self.talk
        if self.mirror is not None:
            self.mirror.begin()
        while asked.result is None:
            response = self.talk.response()
            if response.tag == "+":
                raise Wrong(f"a continuation in {asked.name}")
            if response.tag == "*":
                self.hear(response, asked)
            else:
                self._tagged(response, asked)
        if self.mirror is not None and asked.ok:
            self.mirror.end()
        if asked.ok and any(word in asked.text for word in CONDSTORE_WORDS):
            self.condstore = True  # RFC 7162 3.1.8
        if asked.check is not None and (asked.ok or not self.shifting(asked)):
            asked.check(asked)

    def _tagged(self, response: Response, asked: Asked) -> None:
        if response.tag != asked.tag:
            raise Wrong(f"{response.tag} was answered before {asked.tag}")
        self._queue.popleft()
        asked.result = response
        self._note_code(response, asked)
        code = response.code.split(" ")[0]
        if response.kind == "OK" or code in asked.codes:
            return
        if response.kind == "NO" and code in RIGHTLESS and self.shifting(asked):
            return
        raise Wrong(f"{asked.name}: {response.raw[:300]!r}")

    def overhear(self) -> None:
        """What comes while nothing is asked: nothing but what NOTIFY wants, and no EXPUNGE."""
        assert self.talk
        while self.talk.waiting(0):
            response = self.talk.response()
            if response.tag != "*":
                raise Wrong(f"out of nothing: {response.raw[:200]!r}")
            if response.kind in ("EXPUNGE", "VANISHED") and "notify" not in self.traits:
                raise Wrong(f"{response.kind} while no command ran")
            self.hear(response, None)

    def idle(self, seconds: float) -> None:
        """IDLE for so long, unless a lot comes."""
        assert self.talk
        self.overhear()
        asked = Asked("IDLE", b"IDLE")
        self.post([asked])
        if self.mirror is not None:
            self.mirror.begin()
        while (response := self.talk.response()).tag != "+":
            if response.tag != "*":
                raise Wrong(f"IDLE: {response.raw!r}")
            self.hear(response, asked)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.talk.waiting(left):
                self.hear(self.talk.response(), asked)
        self.talk.send(b"DONE\r\n")
        self.finish(asked)

    # -- hearing ---------------------------------------------------------------------------------

    def hear(self, response: Response, asked: Asked | None) -> None:
        """An untagged response while ``asked`` runs."""
        if asked is not None:
            asked.untagged.append(response)
        if response.kind == "BYE":
            if asked is None or asked.name != "LOGOUT":
                raise Gone(response.raw)
            return
        if response.kind in ("NO", "BAD"):
            self._complaint(response)
        if response.kind == "OK":
            self._note_code(response, asked)
        elif response.kind == "ESEARCH":
            self._context(response)
        elif response.kind in ("EXISTS", "EXPUNGE", "VANISHED", "FETCH", "UIDFETCH"):
            self._of_the_folder(response, asked)

    def _complaint(self, response: Response) -> None:
        if response.kind == "BAD" or not response.code.startswith("NOUPDATE"):
            raise Wrong(f"{response.raw[:200]!r}")
        self.contexts.pop(response.code.split('"')[1], None)

    def _of_the_folder(self, response: Response, asked: Asked | None) -> None:
        mirror = self.mirror
        if mirror is None:
            raise Wrong(f"no folder is selected: {response.raw[:200]!r}")
        if response.kind == "EXISTS":
            mirror.exists(response.number)
        elif response.kind == "VANISHED" and response.rest.startswith(b"(EARLIER) "):
            self._earlier(response, asked)
        elif response.kind in ("EXPUNGE", "VANISHED"):
            if asked is not None and asked.numbers:
                raise Wrong(f"{response.kind} in {asked.text[:60]!r}")
            if response.kind == "EXPUNGE":
                mirror.expunge(response.number)
            else:
                mirror.vanished(expand(response.rest.decode()))
        else:
            self._fetched(response, mirror, asked)

    def _earlier(self, response: Response, asked: Asked | None) -> None:
        name = asked.name if asked is not None else "nothing"
        if "qresync" not in self.traits or name not in ("SELECT", "EXAMINE", "UID FETCH"):
            raise Wrong(f"VANISHED (EARLIER) in {name}")
        there = set(self.mirror.known() if self.mirror else ())
        both = there.intersection(expand(response.rest[10:].decode()))
        if both:
            raise Wrong(f"VANISHED (EARLIER) names what is there: {sorted(both)}")

    def _fetched(self, response: Response, mirror: Mirror, asked: Asked | None) -> None:
        uid = mirror.fetch(response)
        flagged = b"FLAGS (" in response.raw
        # RFC 7162 3.1: with all that was not asked for by FETCH.
        unasked = asked is None or not asked.name.endswith("FETCH")
        if flagged and unasked and self.condstore and b"MODSEQ (" not in response.raw:
            raise Wrong(f"FLAGS without MODSEQ: {response.raw[:200]!r}")
        if not flagged or not self.firm(self.folder) or uid in self.unsure:
            return
        has = self.keyword in mirror.flags.get(uid, ())
        if self.own.setdefault((mirror.mailbox_id, uid), has) != has:
            raise Wrong(f"our keyword on {uid} is now {has}")

    def _note_code(self, response: Response, asked: Asked | None) -> None:
        mirror, (name, _, rest) = self.mirror, response.code.partition(" ")
        if mirror is None:
            return
        if name == "HIGHESTMODSEQ":
            mirror.told_highest(int(rest))
        elif name == "CLOSED":
            self._closed()
        elif name in ("READ-ONLY", "READ-WRITE"):
            self.read_only = name == "READ-ONLY"
        elif asked is None or asked.name not in ("SELECT", "EXAMINE"):
            return  # MAILBOXID of CREATE, for one
        elif name == "UIDVALIDITY":
            mirror.uidvalidity = int(rest)
        elif name == "UIDNEXT":
            mirror.uidnext = int(rest)
        elif name == "MAILBOXID":
            mirror.mailbox_id = rest.strip("()")

    def _context(self, response: Response) -> None:
        """RFC 5267 4.3: ADDTO and REMOVEFROM of a search that is kept up, from its ALL on."""
        tag, every = every_of(response)
        if tag in self.contexts:
            self.contexts[tag] |= every
        for what, values, tag in changes_of(response):
            members = self.contexts.get(tag)
            if members is None:
                raise Wrong(f"no such context: {response.raw!r}")
            if what == "ADDTO":
                if members & values:
                    raise Wrong(f"ADDTO of what is in it: {sorted(members & values)}")
                members |= values
            else:
                if values - members:
                    raise Wrong(f"REMOVEFROM of what is not in it: {sorted(values - members)}")
                members -= values

    @staticmethod
    def _must(response: Response, kind: str) -> None:
        if response.kind != kind:
            raise Wrong(f"{kind} expected: {response.raw[:200]!r}")


def every_of(response: Response) -> tuple[str, set[int]]:
    """The tag of an ESEARCH, and the numbers behind ALL."""
    values = response.values()
    if not values or not isinstance(values[0], list) or not isinstance(values[0][1], bytes):
        return "", set()
    found = values[values.index(b"ALL") + 1] if b"ALL" in values else None
    return values[0][1].decode(), set(expand(found.decode()) if isinstance(found, bytes) else ())


def changes_of(response: Response) -> list[tuple[str, set[int], str]]:
    """ADDTO and REMOVEFROM of an ESEARCH response, with the tag."""
    values = response.values()
    if not values or not isinstance(values[0], list):
        return []
    tag = values[0][1]
    assert isinstance(tag, bytes)
    found = []
    for word, pairs in pairwise(values):
        if word in (b"ADDTO", b"REMOVEFROM"):
            assert isinstance(word, bytes)
            assert isinstance(pairs, list)
            sets = [one.decode() for one in pairs[1::2] if isinstance(one, bytes)]
            numbers = {number for one in sets for number in expand(one)}
            found.append((word.decode(), numbers, tag.decode()))
    return found
