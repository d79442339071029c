"""RFC 2449: CAPA, line lengths, pipelining, response codes."""

from tests.support.pop3_server import Pop3Server

WORDS = ("TOP", "UIDL", "RESP-CODES", "PIPELINING", "EXPIRE NEVER", "USER", "SASL PLAIN LOGIN")


def test_s5_capa_in_both_states(pop3: Pop3Server) -> None:
    capabilities: list[str] = []
    for client in (pop3.dialog(), pop3.play("C: NOOP\nS: +OK")):
        if not client.clients:
            client.play("S: +OK")
        client.play("C: CAPA\nS: +OK")
        found: list[str] = []
        while (line := client.client().line()) != ".":
            found.append(line)
        assert set(WORDS) <= set(found)
        assert any(line.startswith("IMPLEMENTATION ") for line in found)
        capabilities = found
    assert "STLS" not in capabilities  # not after login


def test_s4_line_length(pop3: Pop3Server) -> None:
    longest = "x" * (255 - len("USER \r\n"))
    pop3.dialog().play(f"""
        S: +OK
        C: USER {longest}
        S: +OK
        C: USER {longest}x
        S: -ERR line too long
        C: USER {"x" * 20000}
        S: -ERR line too long
        C: NOOP
        S: -ERR
        """)


def test_s6_6_pipelining(pop3: Pop3Server) -> None:
    pop3.deliver(b"Subject: one\r\n\r\n1\r\n")
    pop3.dialog().play("""
        C+ USER user1\\r\\nPASS secret\\r\\nSTAT\\r\\nRETR 1\\r\\nDELE 1\\r\\nQUIT\\r\\nNOOP\\r\\n
        S: +OK
        S: +OK
        S: +OK
        S: +OK 1
        S: +OK
        S: Subject
        S~ $
        S: 1
        S~ \\.$
        S: +OK
        S: +OK
        CLOSED:
        """)
    assert pop3.uids() == []
