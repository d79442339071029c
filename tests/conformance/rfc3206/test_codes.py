"""RFC 3206: AUTH and SYS response codes."""

from mailnode.model.errors import StorageGone
from tests.support.pop3_server import Pop3Server


def test_s5_auth(pop3: Pop3Server) -> None:
    pop3.dialog().play("S: +OK\nC: USER user1\nS: +OK\nC: PASS no\nS: -ERR [AUTH]")


def test_s4_sys_temp_without_a_directory(pop3: Pop3Server) -> None:
    pop3.gate.down = True
    pop3.dialog().play("""
        S: +OK
        C: USER user1
        S: +OK
        C: PASS secret
        S: -ERR [SYS/TEMP]
        """)


def test_s4_sys_temp_without_storage(pop3: Pop3Server) -> None:
    def gone(*_: object) -> None:
        raise StorageGone("/secret/path is not mounted")

    pop3.store.account = gone  # type: ignore[method-assign]  # the disk fails
    pop3.dialog().play("""
        S: +OK
        C: USER user1
        S: +OK
        C: PASS secret
        S~ -ERR \\[SYS/TEMP\\] (?!.*secret)
        C: USER user1
        S: +OK
        """)
