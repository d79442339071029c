"""RFC 5256: THREAD; draft-ietf-morg-inthread: REFS."""

from tests.support.imap_server import ImapServer

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def mail(name: str, subject: str, day: int, references: str = "", answers: str = "") -> bytes:
    lines = [f"Subject: {subject}", f"Date: {day} Nov 2026 10:00:00 +0000"]
    lines += [f"Message-ID: <{name}>"] * bool(name)
    lines += [f"References: {references}"] * bool(references)
    lines += [f"In-Reply-To: {answers}"] * bool(answers)
    return "\r\n".join([*lines, "", "x", ""]).encode()


def threads(imap: ImapServer, algorithm: str, want: str, keys: str = "ALL", uid: str = "") -> None:
    want = want.replace("(", r"\(").replace(")", r"\)")
    imap.play(f"{SELECT}C: a {uid}THREAD {algorithm} UTF-8 {keys}\nS~ \\* THREAD{want}$\nS: a OK")


def test_capabilities(imap: ImapServer) -> None:
    names = r"(?=.* THREAD=ORDEREDSUBJECT)(?=.* THREAD=REFERENCES)(?=.* THREAD=REFS)"
    imap.play(rf"C: a CAPABILITY{chr(10)}S~ \* CAPABILITY{names}")


def test_ordered_subject(imap: ImapServer) -> None:
    imap.deliver(
        mail("a", "beta", 5),
        mail("b", "Re: alpha", 7),
        mail("c", "Fwd: BETA", 4),
        mail("d", "alpha", 6),
        mail("e", "gamma", 9),
        mail("f", "re: alpha", 8),
    )
    threads(imap, "ORDEREDSUBJECT", " (3 1)(4 (2)(6))(5)")
    threads(imap, "ORDEREDSUBJECT", " (1)(4 2)", "1:4 NOT SUBJECT fwd")
    threads(imap, "ORDEREDSUBJECT", "", "SUBJECT delta")


def test_references(imap: ImapServer) -> None:
    imap.deliver(
        mail("a", "one", 1),
        mail("b", "Re: one", 2, "<a>"),
        mail("c", "Re: one", 4, "<a> <b>"),
        mail("d", "Re: one", 3, answers='some words <"a">'),
        mail("e", "other", 5),
        mail("f", "Re: one", 6, "<a> <b> <c>"),
        mail("g", "Re: one", 7, "<b>"),
    )
    threads(imap, "REFERENCES", " (1 (2 (3 6)(7))(4))(5)")


def test_references_dummies(imap: ImapServer) -> None:
    imap.deliver(
        mail("b", "x1", 3, "<gone>"),
        mail("c", "x2", 2, "<gone>"),
        mail("e", "x3", 1, "<lost> <away>"),
    )
    # Two children keep their absent parent, one does not.
    threads(imap, "REFERENCES", " (3)((2)(1))")


def test_references_join_threads_of_one_subject(imap: ImapServer) -> None:
    imap.deliver(
        mail("a", "lunch", 1),
        mail("b", "Re: lunch", 3),
        mail("c", "dinner", 4),
        mail("d", "dinner", 2),
        mail("e", "dinner", 5),
        mail("", "", 6),
        mail("", "", 7),
    )
    threads(imap, "REFERENCES", " (1 2)((4)(3)(5))(6)(7)")


def test_references_join_into_a_dummy(imap: ImapServer) -> None:
    imap.deliver(
        mail("a", "tea", 2, "<gone>"),
        mail("b", "Re: tea", 3, "<gone>"),
        mail("c", "Re: tea", 1),
        mail("d", "Re: tea", 5, "<elsewhere>"),
        mail("e", "Re: tea", 6, "<elsewhere>"),
    )
    threads(imap, "REFERENCES", " ((3)(1)(2)(4)(5))")


def test_references_loops_and_twins(imap: ImapServer) -> None:
    imap.deliver(
        mail("a", "s1", 1, "<b>"),
        mail("b", "s2", 2, "<a>"),
        mail("a", "s3", 3),
        mail("z", "s4", 4, "<z>"),
    )
    threads(imap, "REFERENCES", " (2 1)(3)(4)")


def test_refs_sorts_threads_by_arrival_and_messages_by_date(
    imap: ImapServer,
) -> None:
    imap.play(
        "".join(
            f'C: p{n} APPEND INBOX " {day}-Nov-2026 10:00:00 +0000" {{{len(raw)}+}}\n'
            + "C+ "
            + raw.decode().replace("\r\n", "\\r\\n")
            + "\\r\\n\n"
            + f"S: p{n} OK\n"
            for n, (day, raw) in enumerate(
                [
                    (1, mail("a", "one", 9)),
                    (2, mail("b", "two", 8)),
                    (3, mail("c", "Re: two", 7)),
                    (4, mail("d", "Re: one", 6, "<a>")),
                    (5, mail("e", "Re: one", 5, "<a>")),
                ]
            )
        )
        + SELECT
        + r"""
        C: a UID THREAD REFS UTF-8 ALL
        S~ \* THREAD \(2\)\(3\)\(1 \(5\)\(4\)\)$
        S: a OK
        """
    )


def test_a_thread_of_any_depth(imap: ImapServer) -> None:
    imap.deliver(*(mail(f"m{n}", "deep", 1, f"<m{n - 1}>") for n in range(1, 300)))
    threads(imap, "REFERENCES", " (" + " ".join(map(str, range(1, 300))) + ")")


def test_what_is_wrong_is_refused(imap: ImapServer) -> None:
    imap.play(
        SELECT
        + r"""
        C: a THREAD JWZ UTF-8 ALL
        S: a BAD
        C: b THREAD REFERENCES X-NONE ALL
        S: b NO [BADCHARSET
        C: c THREAD REFERENCES UTF-8
        S: c BAD
        """
    )
