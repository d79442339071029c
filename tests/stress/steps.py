"""What clients do by chance, and what must be true of each answer."""

from __future__ import annotations

import smtplib
import time
from collections import Counter
from collections.abc import Callable, Iterable

from tests.stress.client import (
    FULL_RIGHTS,
    LASTING_FOLDERS,
    LATE,
    PASSING_FOLDERS,
    SHARED_FOLDERS,
    SHIFTING,
    TIMEOUT_S,
    Asked,
    Client,
    Place,
)
from tests.stress.mirror import Memory, Mirror, compact, expand, within
from tests.stress.talk import Response, Value, Wrong

SYSTEM = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted")
CROWDED = 60  # messages; beyond, more is taken away than made
SUBJECT = "BODY[HEADER.FIELDS (SUBJECT)]"
# What a copy has in common with its original.
COPIED = ("RFC822.SIZE", "INTERNALDATE", "EMAILID", SUBJECT)
ITEMS = (
    "FLAGS", "FAST", "(FLAGS MODSEQ)", "ENVELOPE", "BODYSTRUCTURE", "(RFC822.SIZE INTERNALDATE)",
    "(EMAILID THREADID SAVEDATE)", f"({SUBJECT.replace('BODY', 'BODY.PEEK')} FLAGS)", "PREVIEW",
    "BODY.PEEK[]", "BODY[]", "BODY.PEEK[TEXT]<0.20>", "BINARY.SIZE[1]", "FULL",
)  # fmt: skip
# What a reader may have in the mailbox where it comes and goes: of all of it to nothing.
RIGHTS = (FULL_RIGHTS, FULL_RIGHTS, "lrs", "lr", "lrswi", "lrswite", "lrsti", "lrp", "li", "l", "")


class Stepper:
    """Steps of one client. ``others``: with whom it shares; nobody's for a reader."""

    def __init__(self, client: Client, others: tuple[Place, ...] = ()) -> None:
        self.client = client
        self.others = others
        self.chance = client.chance

    # -- choosing --------------------------------------------------------------------------------

    def step(self) -> None:
        """One by chance."""
        client, chance = self.client, self.chance
        if client.talk is None:
            client.connect()
        if client.mirror is None:
            if chance.random() < 0.75:
                self.select()
                return
            apart = [self.status, self.listing, self.folders, self.append_now, self.deliver]
            chance.choice(apart)()
            return
        stories: list[Callable[[], None]] = [self.status, self.listing, self.folders, self.select]
        stories += [self.idle, self.reconnect, self.end_selection, self.saved_search]
        stories += [self.context, self.append_now, self.deliver]
        if self.others:
            stories.append(self.rights)
        if chance.random() < 0.25:
            chance.choice(stories)()
        elif chance.random() < 0.35:
            client.run([self.by_uid() for _ in range(chance.randint(2, 8))])
        else:
            makers = [self.by_uid, self.by_uid, self.noop]
            # RFC 5465 6.1.1: where EXPUNGE may come at any time, numbers are of no use.
            if self.numbered():
                makers.append(self.by_number)
            client.run([chance.choice(makers)()])

    def numbered(self) -> bool:
        """Whether message numbers are of use."""
        traits = self.client.traits
        return "uidonly" not in traits and ("notify" not in traits or self.client.delayed)

    def by_uid(self) -> Asked:
        """A command that several of may be sent at once."""
        makers = [self.fetch, self.fetch, self.store, self.store, self.search, self.copy]
        makers += [self.move, self.append, self.uid_expunge, self.replace, self.sort]
        mirror = self.mirror
        if len(mirror.uids) > CROWDED and not self.client.read_only:
            makers += [self.uid_expunge, self.thin_out] * 3
        return self.chance.choice(makers)()

    def by_number(self) -> Asked:
        """A command that stands alone, for numbers move (RFC 3501 5.5)."""
        makers = [self.fetch_numbers, self.fetch_numbers, self.store_numbers, self.search_numbers]
        makers += [self.expunge, self.copy_numbers]
        return self.chance.choice(makers)()

    @property
    def mirror(self) -> Mirror:
        assert self.client.mirror is not None
        return self.client.mirror

    def some(self) -> list[int]:
        """A few UIDs of messages that are there, as far as is known."""
        known = self.mirror.known()
        if not known:
            return [1]
        if self.chance.random() < 0.3:
            return known
        start = self.chance.randrange(len(known))
        return sorted(
            set(known[start : start + self.chance.randint(1, 5)])
            | set(self.chance.sample(known, min(len(known), self.chance.randint(0, 3))))
        )

    def flags(self) -> list[str]:
        return self.chance.sample(SYSTEM[:4], self.chance.randint(1, 2))

    # -- FETCH -----------------------------------------------------------------------------------

    def fetch(self) -> Asked:
        client, uids = self.client, self.some()
        text, modifier = f"UID FETCH {compact(uids)} {self.chance.choice(ITEMS)}", ""
        if client.condstore and self.chance.random() < 0.3:
            since = self.chance.choice([self.mirror.reach, max(self.mirror.reach - 5, 0), 1])
            vanished = " VANISHED" if "qresync" in client.traits else ""
            modifier = f" (CHANGEDSINCE {max(since, 1)}{vanished})"
        elif self.chance.random() < 0.15:
            modifier = f" (PARTIAL {self.chance.choice(['1:3', '-1:-2', '2:1000'])})"
        whole = uids if not modifier else []
        return Asked("UID FETCH", (text + modifier).encode(), lambda asked: self._answered(whole))

    def _answered(self, uids: Iterable[int]) -> None:
        mirror = self.mirror
        missing = [uid for uid in uids if uid not in mirror.fetched and uid in mirror.uids]
        if missing:
            # Somebody has expunged them, of which we may not have been told yet.
            self.client.later.append(lambda: self._must_be_gone(mirror, missing))

    def _must_be_gone(self, mirror: Mirror, uids: list[int]) -> None:
        if self.client.mirror is mirror:
            self.client.ask("NOOP", "NOOP")
            if left := [uid for uid in uids if uid in mirror.uids]:
                raise Wrong(f"nothing was told of {left}")

    def fetch_numbers(self) -> Asked:
        mirror = self.mirror
        count = len(mirror.uids)
        if not count:
            return self.noop()
        low = self.chance.randint(1, count)
        high = self.chance.choice([count, low])
        unknown = [at for at, uid in enumerate(mirror.uids, 1) if uid is None]
        if unknown:
            low, high = unknown[0], count
        items = self.chance.choice(ITEMS).strip("()")
        return Asked(
            "FETCH", f"FETCH {low}:{high} (UID {items})".encode() if items not in ("FAST", "FULL")
            else f"FETCH {low}:{high} (UID FLAGS)".encode(), None, True, ("EXPUNGEISSUED",)
        )  # fmt: skip

    # -- STORE -----------------------------------------------------------------------------------

    def store(self) -> Asked:
        if self.client.read_only:
            return self.fetch()
        uids = self.some()
        text, words, on, silent = self._store_text()
        since = ""
        if self.client.condstore and self.chance.random() < 0.3:
            since = f"(UNCHANGEDSINCE {max(self.mirror.reach, 1)}) "
        own = self.client.keyword in words
        if own:
            self.client.unsure += Counter(uids)
        return Asked(
            "UID STORE",
            f"UID STORE {compact(uids)} {since}{text}".encode(),
            lambda asked: self._stored(asked, uids, words, on, silent),
        )

    def _store_text(self) -> tuple[str, list[str], bool | None, bool]:
        lasting = self.client.folder in LASTING_FOLDERS
        silent = self.chance.random() < 0.4
        dot = ".SILENT" if silent else ""
        if not lasting and self.chance.random() < 0.3:
            words = self.flags()
            return f"FLAGS{dot} ({' '.join(words)})", words, None, silent
        words = self.flags()
        if self.chance.random() < 0.4 and not self.client.loose:
            words.append(self.client.keyword)
        if self.chance.random() < 0.2:
            words.append("\\Deleted")
        on = self.chance.random() < 0.6
        return f"{'+' if on else '-'}FLAGS{dot} ({' '.join(words)})", words, on, silent

    def _stored(
        self, asked: Asked, uids: list[int], words: list[str], on: bool | None, silent: bool
    ) -> None:
        client, mirror = self.client, self.mirror
        assert asked.result
        modified = set(expand(asked.code("MODIFIED")[0])) if asked.code("MODIFIED") else set[int]()
        done = [uid for uid in uids if uid not in modified and uid in mirror.uids]
        if client.keyword in words and on is not None:
            for uid in done:
                client.own[mirror.mailbox_id, uid] = on
            client.unsure -= Counter(uids)
        if silent:
            self._believe(done, set(words), on)
        elif not modified:
            self._answered(uids)

    def _believe(self, uids: list[int], words: set[str], on: bool | None) -> None:
        """What .SILENT leaves to the client; what was told meanwhile is newer."""
        mirror = self.mirror
        for uid in uids:
            if uid not in mirror.flags:
                continue
            if self.client.loose:
                del mirror.flags[uid]  # which of them we may set is not certain
            elif "FLAGS" not in mirror.fetched.get(uid, {}):
                old = mirror.flags[uid]
                new = frozenset(words) if on is None else old | words if on else old - words
                mirror.flags[uid] = new
            elif "notify" in self.client.traits:
                # Told before the command began, or after it: nobody can say.
                del mirror.flags[uid]

    def store_numbers(self) -> Asked:
        mirror, count = self.mirror, len(self.mirror.uids)
        if self.client.read_only or not count or not mirror.complete():
            return self.fetch_numbers()
        low = self.chance.randint(1, count)
        high = min(count, low + self.chance.randint(0, 3))
        uids = mirror.known()[low - 1 : high]
        words = self.flags()
        return Asked(
            "STORE",
            f"STORE {low}:{high} +FLAGS ({' '.join(words)})".encode(),
            lambda asked: self._answered(uids) if asked.ok else None,
            True,
            ("EXPUNGEISSUED",),
        )

    # -- taking away -----------------------------------------------------------------------------

    def uid_expunge(self) -> Asked:
        if self.client.read_only:
            return self.fetch()
        return Asked("UID EXPUNGE", f"UID EXPUNGE {compact(self.some())}".encode())

    def thin_out(self) -> Asked:
        """Mark some; UID EXPUNGE takes them away another time."""
        uids = compact(self.some())
        # Believed by nobody: told by the server, for it is not silent.
        return Asked("UID STORE", f"UID STORE {uids} +FLAGS (\\Deleted)".encode())

    def expunge(self) -> Asked:
        if self.client.read_only:
            return self.noop()
        mirror = self.mirror
        marked = {uid for uid, flags in mirror.flags.items() if "\\Deleted" in flags}
        return Asked("EXPUNGE", b"EXPUNGE", lambda asked: self._expunged(marked))

    def _expunged(self, marked: set[int]) -> None:
        mirror = self.mirror
        left = {uid for uid in marked if uid in mirror.uids} - mirror.fetched.keys()
        if left and "notify" not in self.client.traits:
            raise Wrong(f"{sorted(left)} outlived EXPUNGE")

    def end_selection(self) -> None:
        """CLOSE or UNSELECT."""
        verb = self.chance.choice(["CLOSE", "UNSELECT"])
        self.client.ask(verb, verb)
        self.client.leave()

    # -- COPY, MOVE, APPEND, REPLACE -------------------------------------------------------------

    def target(self) -> str:
        return self.chance.choice([*LASTING_FOLDERS * 3, *PASSING_FOLDERS])

    def copy(self) -> Asked:
        return self._transfer("COPY") if len(self.mirror.uids) <= CROWDED else self.fetch()

    def move(self) -> Asked:
        return self.fetch() if self.client.read_only else self._transfer("MOVE")

    def _transfer(self, verb: str) -> Asked:
        uids, target = self.some()[:6], self.target()
        codes = LATE if target in PASSING_FOLDERS else ()
        return Asked(
            f"UID {verb}",
            f"UID {verb} {compact(uids)} {self.client.spell(target)}".encode(),
            lambda asked: self._transferred(asked, uids, target, verb == "MOVE"),
            codes=codes,
        )

    def copy_numbers(self) -> Asked:
        count, target = len(self.mirror.uids), self.target()
        if not count or count > CROWDED:
            return self.noop()
        number = self.chance.randint(1, count)
        uid = self.mirror.uids[number - 1]
        return Asked(
            "COPY",
            f"COPY {number} {self.client.spell(target)}".encode(),
            lambda asked: self._transferred(asked, [uid] if uid else None, target, False),
            codes=(*LATE, "EXPUNGEISSUED") if target in PASSING_FOLDERS else ("EXPUNGEISSUED",),
        )

    def _transferred(self, asked: Asked, uids: list[int] | None, target: str, moved: bool) -> None:
        words = asked.code("COPYUID")
        if not asked.ok or not words:
            return
        validity, old, new = int(words[0]), expand(words[1]), expand(words[2])
        if len(old) != len(new) or len(set(new)) != len(new) or new != sorted(new):
            raise Wrong(f"COPYUID {words}")
        if uids is not None and not set(old) <= set(uids):
            raise Wrong(f"COPYUID names {old}, asked for {uids}")
        if moved and (left := [uid for uid in old if uid in self.mirror.uids]):
            raise Wrong(f"{left} were moved and are there")
        mailbox_id = self.client.ids.get(target)
        if mailbox_id is None:
            return
        facts, mirror = self.client.facts, self.mirror
        for one, other in zip(old, new, strict=True):
            for name in COPIED:
                known = facts.values.get((name, mirror.mailbox_id, mirror.uidvalidity, one))
                if known is not None:
                    facts.note((name, mailbox_id, validity, other), known)
        facts.reached(("uid", mailbox_id), new[-1])

    def message(self) -> tuple[str, bytes]:
        client = self.client
        client.made += 1
        subject = f"{client.name}-{client.made}-{self.chance.randrange(10**6)}"
        body = "".join(
            f"{self.chance.choice(['alpha', 'beta', 'gamma'])} {number}\r\n"
            for number in range(self.chance.randint(1, 60))
        )
        if self.chance.random() < 0.04:
            # Held in memory or in a file, as it comes: between 64 KiB and 400 KiB.
            body += "delta epsilon zeta\r\n" * self.chance.randint(3300, 20_000)
        head = f"Subject: {subject}\r\nFrom: {client.name}@example.test\r\n"
        head += "Date: Thu, 1 Jan 2026 10:00:00 +0000\r\n"
        if self.chance.random() < 0.3:
            head += 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
            body = f"--b\r\n\r\n{body}--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n"
        return subject, f"{head}\r\n{body}".encode()

    def append(self) -> Asked:
        target = self.target()
        made = [self.message() for _ in range(self.chance.choice([1, 1, 1, 3]))]
        words = b" ".join(one.encode() for one in self.flags())
        parts = (b" (%b) {%d+}\r\n%b" % (words, len(text), text) for _, text in made)
        return Asked(
            "APPEND",
            f"APPEND {self.client.spell(target)}".encode() + b"".join(parts),
            lambda asked: self._appended(asked, target, made),
            codes=LATE if target in PASSING_FOLDERS else (),
        )

    def append_now(self) -> None:
        self.client.run([self.append()])

    def _appended(self, asked: Asked, target: str, made: list[tuple[str, bytes]]) -> None:
        if not asked.ok:
            return
        words = asked.code("APPENDUID")
        if not words and self.client.owner and target == SHIFTING:
            return  # RFC 9051 6.3.12: no UIDs of what may not be read
        if not words:
            raise Wrong("no APPENDUID")
        uids = expand(words[1])
        if len(uids) != len(made):
            raise Wrong(f"APPENDUID {words} for {len(made)} messages")
        mailbox_id = self.client.ids.get(target)
        if mailbox_id is None:
            return
        facts = self.client.facts
        for uid, (subject, text) in zip(uids, made, strict=True):
            key = mailbox_id, int(words[0]), uid
            facts.note((SUBJECT, *key), f"Subject: {subject}\r\n\r\n".encode())
            facts.note(("RFC822.SIZE", *key), b"%d" % len(text))
        facts.reached(("uid", mailbox_id), uids[-1])

    def replace(self) -> Asked:
        if self.client.read_only:
            return self.fetch()
        uid, target = self.some()[0], self.target()
        subject, text = self.message()
        return Asked(
            "UID REPLACE",
            f"UID REPLACE {uid} {self.client.spell(target)} {{{len(text)}+}}\r\n".encode() + text,
            lambda asked: self._replaced(asked, uid, target, (subject, text)),
            codes=("EXPUNGEISSUED", *(LATE if target in PASSING_FOLDERS else ())),
        )

    def _replaced(self, asked: Asked, uid: int, target: str, made: tuple[str, bytes]) -> None:
        if asked.ok:
            self._appended(asked, target, [made])
            if uid in self.mirror.uids:
                raise Wrong(f"{uid} was replaced and is there")

    # -- SEARCH, SORT, THREAD --------------------------------------------------------------------

    def search(self) -> Asked:
        client, mirror = self.client, self.mirror
        lasting = client.firm(client.folder)
        kind = self.chance.choice(["ALL", "own", "UID", "flag", "returns", "body", "numbers"])
        if kind == "own" and lasting:
            return self._searching(f"KEYWORD {client.keyword}", self._own)
        if kind == "UID":
            uids = self.some()
            return self._searching(f"UID {compact(uids)}", lambda found: self._equal(found, uids))
        if kind == "flag":
            return self._searching(self.chance.choice(["FLAGGED", "UNSEEN", "NOT DELETED"]), None)
        if kind == "body":
            return self._searching(self.chance.choice(["BODY gamma", "TEXT alpha"]), None)
        if kind == "returns":
            return self._returning()
        if kind == "numbers" and self.numbered() and mirror.uids:
            return self.search_numbers()
        return self._searching("ALL", lambda found: self._equal(found, None))

    def _searching(self, key: str, judge: Callable[[list[int]], None] | None) -> Asked:
        def check(found: list[int]) -> None:
            strange = set(found) - set(self.mirror.known()) - self.mirror.removed
            if self.mirror.certain() and strange:
                raise Wrong(f"{key} found {sorted(strange)}, which are no messages")
            if judge is not None:
                judge(found)

        text = f"UID SEARCH {key}".encode()
        return Asked("UID SEARCH", text, lambda asked: check(found_by(asked)))

    def _equal(self, found: list[int], uids: list[int] | None) -> None:
        """Those that went in this very command may be found or not."""
        mirror = self.mirror
        if not mirror.certain():
            return
        expected = set(mirror.known()) if uids is None else set(uids) & set(mirror.known())
        if set(found) - mirror.removed != expected or found != sorted(found):
            raise Wrong(f"found {found}, not {sorted(expected)} ({sorted(mirror.removed)} gone)")

    def _own(self, found: list[int]) -> None:
        client, mirror = self.client, self.mirror
        if client.unsure or not mirror.certain():
            return
        for uid in mirror.known():
            if client.own.get((mirror.mailbox_id, uid), uid in found) != (uid in found):
                raise Wrong(f"KEYWORD of ours found {found}, {uid} is told otherwise")

    def _returning(self) -> Asked:
        text = b"UID SEARCH RETURN (MIN MAX COUNT ALL) UNDELETED"
        return Asked("UID SEARCH", text, lambda asked: consistent(asked))

    def search_numbers(self) -> Asked:
        count = len(self.mirror.uids)
        low = self.chance.randint(1, max(count, 1))
        uid = self.chance.choice(["UID ", ""])

        def check(asked: Asked) -> None:
            limit = max(low, count)
            numbers = found_by(asked)
            if not uid and any(not low <= one <= max(limit, len(self.mirror.uids))
                               for one in numbers):  # fmt: skip
                raise Wrong(f"SEARCH {low}:* of {count} found {numbers}")

        if not count:
            return self.noop()
        return Asked(f"{uid}SEARCH", f"{uid}SEARCH {low}:{count}".encode(), check, True)

    def sort(self) -> Asked:
        orders = ("(REVERSE ARRIVAL)", "(SUBJECT)", "(SIZE FROM)", "(DATE)")
        if self.chance.random() < 0.3:
            how = self.chance.choice(["REFERENCES", "ORDEREDSUBJECT"])
            text = f"UID THREAD {how} UTF-8 ALL"
        else:
            text = f"UID SORT {self.chance.choice(orders)} UTF-8 ALL"
        return Asked(
            text[:8].strip(),
            text.encode(),
            lambda asked: self._equal(sorted(sorted_by(asked)), None),
        )

    def saved_search(self) -> None:
        """RFC 5182: what SAVE keeps is what ``$`` names, whoever expunges meanwhile."""
        client = self.client
        text = b"UID SEARCH RETURN (SAVE ALL) UNDELETED"
        asked, _ = client.run([
            Asked("UID SEARCH", text), Asked("UID FETCH", b"UID FETCH $ (UID FLAGS)")
        ])  # fmt: skip
        if not asked.ok and client.loose:
            return
        strange = self.mirror.fetched.keys() - set(found_by(asked))
        # Flags of others may have changed.
        if self.mirror.certain() and strange - set(self.mirror.known()):
            raise Wrong(f"$ named {sorted(strange)}")

    def context(self) -> None:
        """RFC 5267: a search that is kept up is at each NOOP what the flags say."""
        client = self.client
        if len(client.contexts) < 2:
            asked = Asked("UID SEARCH", b"UID SEARCH RETURN (UPDATE ALL) FLAGGED")
            client.overhear()
            client.post([asked])
            client.contexts[asked.tag] = set()
            client.finish(asked)
            if not asked.ok:
                client.contexts.pop(asked.tag, None)
        client.run([self.noop()])

    def judge_contexts(self) -> None:
        """After NOOP: the flags are told, and so are the results."""
        mirror = self.mirror
        if not mirror.complete() or any(uid not in mirror.flags for uid in mirror.known()):
            return
        flagged = {uid for uid, flags in mirror.flags.items() if "\\Flagged" in flags}
        for tag, members in self.client.contexts.items():
            if members != flagged:
                raise Wrong(f"{tag} keeps {sorted(members)}, flagged are {sorted(flagged)}")

    # -- whole folders ---------------------------------------------------------------------------

    def noop(self) -> Asked:
        return Asked("NOOP", b"NOOP", lambda asked: self._caught_up())

    def _caught_up(self) -> None:
        mirror = self.mirror
        if not mirror.complete() or any(uid not in mirror.flags for uid in mirror.known()):
            self._learn_all()
            if not mirror.complete() and not self.client.contexts:
                self._learn_rest()
        self.judge_contexts()

    def _learn_all(self) -> None:
        modseq = " MODSEQ" if self.client.condstore else ""
        self.client.ask("UID FETCH", f"UID FETCH 1:* (UID FLAGS{modseq})")

    def _learn_rest(self) -> None:
        """New ones may have come while we asked."""
        for _ in range(20):
            if self.client.mirror is None or self.mirror.complete():
                return
            self._learn_all()
        raise Wrong("UID FETCH 1:* never tells of all that exist")

    def select(self, name: str = "") -> None:
        """SELECT or EXAMINE, with QRESYNC where we know something, then all flags."""
        client = self.client
        name = name or self.chance.choice([*LASTING_FOLDERS * 3, *PASSING_FOLDERS])
        verb = "EXAMINE" if self.chance.random() < 0.15 else "SELECT"
        client.overhear()
        memory = client.memories.pop(name, None)
        if client.mirror is not None and client.folder == name:
            memory = client.mirror.memory()
        how = ""
        if "qresync" in client.traits and memory is not None:
            how = f" (QRESYNC ({memory.uidvalidity} {memory.reach}))"
            if memory.uids and self.chance.random() < 0.5:
                known = compact(memory.uids)
                how = f" (QRESYNC ({memory.uidvalidity} {memory.reach} {known}))"
        elif self.chance.random() < 0.1:
            how = " (CONDSTORE)"
        mailbox_id = client.ids.get(name, "")
        floors = [client.facts.floor((what, mailbox_id)) for what in ("uid", "modseq")]
        by_uid = "qresync" in client.traits
        mirror = Mirror(client.facts, by_uid, "uidonly" in client.traits, client.user)
        client.enter(mirror, name, verb == "EXAMINE")
        asked = client.ask(verb, f"{verb} {client.spell(name)}{how}", codes=self._late(name))
        if not asked.ok:
            client.mirror, client.folder = None, ""
            return
        mirror.reach = mirror.highest
        self._fresh(name, mirror, floors)
        lines = [one.rest for one in asked.of("VANISHED") if one.rest.startswith(b"(EARLIER) ")]
        earlier = {uid for line in lines for uid in expand(line[10:].decode())}
        told = set(mirror.known())
        highest = mirror.highest
        self._learn_all()
        self._learn_rest()
        if how.startswith(" (QRESYNC") and memory is not None:
            self._resynced(memory, earlier, told, highest)

    def _late(self, name: str) -> tuple[str, ...]:
        return LATE if name in PASSING_FOLDERS else ()

    def _fresh(self, name: str, mirror: Mirror, floors: list[int]) -> None:
        facts = self.client.facts
        if not (mirror.mailbox_id and mirror.uidvalidity and mirror.uidnext):
            raise Wrong("SELECT tells too little")
        facts.note(("UIDVALIDITY", mirror.mailbox_id), mirror.uidvalidity)
        if name in LASTING_FOLDERS:
            facts.note(("MAILBOXID", name, self.client.home(name)), mirror.mailbox_id)
            self.client.ids[name] = mirror.mailbox_id
        if mirror.uidnext <= floors[0]:
            raise Wrong(f"UIDNEXT {mirror.uidnext}, but {floors[0]} was given")
        if mirror.highest < floors[1]:
            raise Wrong(f"HIGHESTMODSEQ {mirror.highest} after {floors[1]}")
        facts.reached(("modseq", mirror.mailbox_id), mirror.highest)

    def _resynced(self, memory: Memory, earlier: set[int], told: set[int], highest: int) -> None:
        """What we knew, less what vanished, with what was told, must be what is there."""
        mirror = self.mirror
        if (memory.mailbox_id, memory.uidvalidity) != (mirror.mailbox_id, mirror.uidvalidity):
            return
        there, gone = set(mirror.known()), mirror.gone
        if earlier & there:
            raise Wrong(f"VANISHED (EARLIER) of {sorted(earlier & there)}, which are there")
        left = set(memory.uids) - earlier
        if left - there - gone:
            raise Wrong(f"not VANISHED (EARLIER): {sorted(left - there - gone)}")
        if memory.uids:
            between = set(within(mirror.known(), 1, memory.uids[-1]))
            if between - left:
                raise Wrong(f"vanished once, there again: {sorted(between - left)}")
        for uid in left & there - told:
            if mirror.modseqs[uid] <= highest and mirror.flags[uid] != memory.flags[uid]:
                raise Wrong(
                    f"{uid} was {sorted(memory.flags[uid])} at {memory.modseqs[uid]}, and is "
                    f"{sorted(mirror.flags[uid])} at {mirror.modseqs[uid]}; QRESYNC from "
                    f"{memory.reach} to {highest} did not tell"
                )

    def status(self) -> None:
        client = self.client
        name = self.target()
        items = "MESSAGES UIDNEXT UIDVALIDITY MAILBOXID UNSEEN SIZE DELETED"
        if client.condstore:
            items += " HIGHESTMODSEQ"
        mailbox_id = client.ids.get(name, "")
        floors = [client.facts.floor((what, mailbox_id)) for what in ("uid", "modseq")]
        text = f"STATUS {client.spell(name)} ({items})"
        asked = client.ask("STATUS", text, codes=self._late(name))
        if not asked.ok:
            return
        found = [figures(one) for one in asked.of("STATUS")]
        mine = [one for one in found if one.get("name") == client.full(name) and "SIZE" in one]
        if not mine:
            raise Wrong("no STATUS")
        one = mine[-1]
        client.facts.note(("UIDVALIDITY", one["MAILBOXID"]), int(one["UIDVALIDITY"]))
        if name not in LASTING_FOLDERS:
            return
        client.facts.note(("MAILBOXID", name, client.home(name)), one["MAILBOXID"])
        client.ids[name] = one["MAILBOXID"]
        if int(one["UIDNEXT"]) <= floors[0]:
            raise Wrong(f"UIDNEXT {one['UIDNEXT']}, but {floors[0]} was given")
        if int(one.get("HIGHESTMODSEQ", floors[1])) < floors[1]:
            raise Wrong(f"HIGHESTMODSEQ {one['HIGHESTMODSEQ']} after {floors[1]}")

    def listing(self) -> None:
        client = self.client
        text = self.chance.choice([
            'LIST "" "*"', 'LIST "" "%" RETURN (CHILDREN SUBSCRIBED)',
            'LIST (SUBSCRIBED) "" "*"', 'LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))',
        ])  # fmt: skip
        asked = client.ask("LIST", text)
        names = [str(one.values()[2]) for one in asked.of("LIST")]
        if len(names) != len(set(names)) and "notify" not in client.traits:
            raise Wrong(f"LIST named one twice: {names}")
        if "SUBSCRIBED)" not in text[:18] and not any("INBOX" in one for one in names):
            raise Wrong(f"LIST without INBOX: {names}")

    def folders(self) -> None:
        """CREATE, DELETE, RENAME, SUBSCRIBE of folders that come and go."""
        client, chance = self.client, self.chance
        one, other = chance.sample(PASSING_FOLDERS, 2)
        verb = chance.choice(["CREATE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"])
        asked = client.ask(verb, f"{verb} {one} {other}" if verb == "RENAME" else f"{verb} {one}",
                           codes=LATE)  # fmt: skip
        if asked.code("CLOSED") or (verb == "DELETE" and client.folder == one and asked.ok):
            client.leave()
        elif verb == "RENAME" and asked.ok and client.mirror is not None:
            parent, _, below = client.folder.partition("/")
            if client.folder == one:
                client.folder = other
            elif below and parent == one:
                client.folder = f"{other}/{below}"

    # -- the connection --------------------------------------------------------------------------

    def idle(self) -> None:
        self.client.idle(self.chance.random() * 0.3)
        if self.client.mirror is not None:
            self.client.run([self.noop()])

    def reconnect(self) -> None:
        client, chance = self.client, self.chance
        if chance.random() < 0.4:
            client.unauthenticate()
            if self.others and chance.random() < 0.3:
                self._visit(chance.choice(self.others))
            if chance.random() < 0.8:
                client.log_in()
                return
        if chance.random() < 0.5:
            client.ask("LOGOUT", "LOGOUT")
        client.close()

    def _visit(self, other: Place) -> None:
        """Be somebody else on the same connection, and nobody again."""
        client = self.client
        client.ask("LOGIN", f'LOGIN "{other.user}" "{other.password}"')
        (one,) = client.ask("STATUS", "STATUS INBOX (MAILBOXID)").of("STATUS")
        client.facts.note(("MAILBOXID", "INBOX", other.user), figures(one)["MAILBOXID"])
        client.unauthenticate()

    # -- what comes from elsewhere ---------------------------------------------------------------

    def rights(self) -> None:
        """The owner gives a reader other rights, or all of them."""
        client, rights = self.client, self.chance.choice(RIGHTS)
        for other in {one.user for one in self.others}:
            client.ask("SETACL", f'SETACL {SHIFTING} {other} "{rights}"')

    def deliver(self) -> None:
        """By SMTP to any node; what was acknowledged is there at once, on this node."""
        client = self.client
        ways = [one for one in client.places if one.smtp]
        if not ways:
            self.append_now()
            return
        name = self.chance.choice(["INBOX", SHARED_FOLDERS[0]])
        local, _, domain = client.home(name).partition("@")
        address = f"{local}@{domain}" if name == "INBOX" else f"{local}+{name}@{domain}"
        before, way = self._uidnext(name), self.chance.choice(ways)
        with smtplib.SMTP(way.host, way.smtp, timeout=TIMEOUT_S) as door:
            door.sendmail("sender@elsewhere.test", [address], self.message()[1])
        after = self._uidnext(name)
        if after <= before:
            raise Wrong(f"{name} had UIDNEXT {before} before a delivery and has {after} after it")

    def _uidnext(self, name: str) -> int:
        client = self.client
        asked = client.ask("STATUS", f"STATUS {client.spell(name)} (UIDNEXT)")
        found = [figures(one) for one in asked.of("STATUS")]
        mine = [one for one in found if one["name"] == client.full(name) and "UIDNEXT" in one]
        return int(mine[-1]["UIDNEXT"])  # what NOTIFY tells comes before

    def settle(self, name: str) -> tuple[list[int], dict[int, frozenset[str]]]:
        """When nobody changes anything any more: what we believe of a folder."""
        client = self.client
        if client.talk is None:
            client.connect()
        if client.mirror is None or client.folder != name:
            self.select(name)
        for _ in range(2):
            client.run([self.noop()])
            time.sleep(0.01)
        mirror = self.mirror
        return mirror.known(), {uid: mirror.flags[uid] for uid in mirror.known()}


def figures(response: Response) -> dict[str, str]:
    """A STATUS response; ``name`` is the mailbox."""
    values = response.values()
    name, items = values[0], values[1]
    if not isinstance(name, bytes) or not isinstance(items, list):
        raise Wrong(f"STATUS: {response.raw!r}")
    found = {"name": name.decode()}
    for at in range(0, len(items), 2):
        key, value = items[at], items[at + 1]
        if isinstance(value, list):
            (value,) = value
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        found[key.decode()] = value.decode()
    return found


def found_by(asked: Asked) -> list[int]:
    """The numbers of SEARCH or of ESEARCH ALL for this command."""
    for one in asked.of("SEARCH"):
        words = one.rest.split(b" (MODSEQ")[0].split()
        return [int(word) for word in words]
    for one in asked.of("ESEARCH"):
        values = one.values()
        if isinstance(values[0], list) and values[0][1] == asked.tag.encode():
            if b"ADDTO" in values or b"REMOVEFROM" in values:
                continue
            return expand(_word(values, b"ALL")) if b"ALL" in values else []
    raise Wrong(f"no answer to {asked.text[:80]!r}")


def consistent(asked: Asked) -> None:
    """RFC 4731: MIN, MAX, COUNT and ALL of one search agree."""
    for one in asked.of("ESEARCH"):
        values = one.values()
        if not isinstance(values[0], list) or values[0][1] != asked.tag.encode():
            continue
        if b"COUNT" not in values:
            continue
        every = expand(_word(values, b"ALL")) if b"ALL" in values else []
        least = [int(_word(values, key)) for key in (b"MIN", b"MAX") if key in values]
        ends = [min(every), max(every)] if every else []
        if int(_word(values, b"COUNT")) != len(every) or least != ends:
            raise Wrong(f"ESEARCH contradicts itself: {one.raw[:300]!r}")
        return
    raise Wrong("no ESEARCH")


def _word(values: list[Value], name: bytes) -> str:
    """What stands behind a name in an ESEARCH."""
    found = values[values.index(name) + 1]
    assert isinstance(found, bytes)
    return found.decode()


def sorted_by(asked: Asked) -> list[int]:
    """The numbers of SORT or THREAD, in any shape."""
    for one in (*asked.of("SORT"), *asked.of("THREAD")):
        text = one.rest.replace(b"(", b" ").replace(b")", b" ")
        return [int(word) for word in text.split()]
    return found_by(asked)
