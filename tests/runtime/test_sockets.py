"""Listening sockets: one a seat, kept over a reload, never shared with strangers."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailnode.model.errors import BadSettings
from mailnode.runtime import sockets
from mailnode.runtime.endpoint import Endpoint
from mailnode.runtime.settings.listen import ListenSettings
from mailnode.runtime.sockets import Listeners, bind, raise_file_limit

OFF: dict[str, Any] = dict.fromkeys(ListenSettings().by_service(), ())


def _settings(**listen: Any) -> ListenSettings:
    return ListenSettings.model_validate(OFF | listen)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Listeners]]:
    monkeypatch.setattr(sockets, "BUSY_WAIT_S", 0.1)
    made: list[Listeners] = []
    yield made
    for one in made:
        one.close()


def _port(listeners: Listeners, service: str = "imap") -> int:
    return listeners.addresses()[service][0].port


def test_each_seat_has_its_own_socket_on_one_port(opened: list[Listeners]) -> None:
    listeners = bind(_settings(imap=["127.0.0.1:0"]), 3)
    opened.append(listeners)
    seats = [listeners.of_seat(seat)["imap"][0] for seat in range(3)]
    assert len({sock.fileno() for sock in seats}) == 3
    assert {sock.getsockname() for sock in seats} == {("127.0.0.1", _port(listeners))}


def test_star_is_both_families_on_one_port(opened: list[Listeners]) -> None:
    listeners = bind(_settings(imap=["*:0"]), 1)
    opened.append(listeners)
    spots = listeners.addresses()["imap"]
    assert [spot.host for spot in spots] == ["0.0.0.0", "::"]
    assert spots[0].port == spots[1].port
    for sock in listeners.of_seat(0)["imap"]:
        sock.listen(1)
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, spots[0].port)).close()


def test_name_is_resolved(opened: list[Listeners]) -> None:
    listeners = bind(_settings(imap=["localhost:0"]), 1)
    opened.append(listeners)
    assert {spot.host for spot in listeners.addresses()["imap"]} <= {"127.0.0.1", "::1"}


def test_nothing_listens_before_a_worker_does(opened: list[Listeners]) -> None:
    listeners = bind(_settings(imap=["127.0.0.1:0"]), 1)
    opened.append(listeners)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", _port(listeners)))


@pytest.mark.parametrize("reuse", [False, True])
def test_port_of_another_program_is_refused(opened: list[Listeners], reuse: bool) -> None:
    with socket.socket() as other:
        # Even one that shares its port, as another instance of ours would.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(reuse))
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        with pytest.raises(BadSettings) as caught:
            bind(_settings(smtp=["127.0.0.1:0"], imap=[f"127.0.0.1:{port}"]), 2)
    assert str(caught.value) == (
        f"[listen] imap: cannot bind 127.0.0.1:{port}: another program listens there; "
        "stop it or change listen.imap"
    )


@pytest.mark.parametrize(
    ("spot", "said"),
    [
        ("192.0.2.1:0", "this machine has no such address"),
        ("no-such-name.invalid:0", "this machine has no such address"),
        ("/nonexistent/folder/x.sock", "the folder is missing"),
    ],
)
def test_bad_address_is_named_with_its_remedy(spot: str, said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        bind(_settings(lmtp=[spot]), 1)


def test_unix_socket_is_shared_has_its_mode_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    listeners = bind(_settings(lmtp=[str(path)], unix_mode="0600"), 2)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert listeners.of_seat(0)["lmtp"] == listeners.of_seat(1)["lmtp"]
    assert listeners.paths() == [str(path)]
    listeners.close()
    assert not path.exists()


def test_unix_socket_left_by_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen(1)
    listeners = bind(_settings(lmtp=[path]), 1)
    listeners.of_seat(0)["lmtp"][0].listen(1)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    listeners.close()


def test_unix_socket_in_use_and_other_files_are_left_alone(
    tmp_path: Path, opened: list[Listeners]
) -> None:
    path = tmp_path / "lmtp.sock"
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen(1)
        with pytest.raises(BadSettings, match="another program listens there"):
            bind(_settings(lmtp=[str(path)]), 1)
        assert path.is_socket()
    precious = tmp_path / "precious"
    precious.write_text("mail")
    with pytest.raises(BadSettings, match="not a socket"):
        bind(_settings(lmtp=[str(precious)]), 1)
    assert precious.read_text() == "mail"


def test_reload_keeps_what_stays_binds_what_is_new_closes_what_is_gone(
    opened: list[Listeners],
) -> None:
    first = bind(_settings(imap=["127.0.0.1:0"], pop3=["127.0.0.1:0"]), 2)
    kept = first.of_seat(0)["imap"][0]
    gone = first.of_seat(0)["pop3"][0]
    second = bind(_settings(imap=["127.0.0.1:0"], smtp=["127.0.0.1:0"]), 3, kept=first)
    opened.append(second)
    first.retire(second)
    assert second.of_seat(0)["imap"][0] is kept
    assert kept.fileno() >= 0
    assert gone.fileno() == -1
    assert set(second.addresses()) == {"smtp", "imap"}
    assert second.of_seat(2)["imap"][0] not in (kept, second.of_seat(1)["imap"][0])


def test_reload_to_fewer_workers_resets_nobody_and_leaves_no_socket_without_a_worker(
    opened: list[Listeners],
) -> None:
    first = bind(_settings(imap=["127.0.0.1:0"]), 3)
    seats = [first.of_seat(seat)["imap"][0] for seat in range(3)]
    second = bind(_settings(imap=["127.0.0.1:0"]), 2, kept=first)
    opened.append(second)
    first.retire(second)
    assert second.of_seat(0)["imap"] == [seats[0], seats[2]]
    assert second.of_seat(1)["imap"] == [seats[1]]
    third = bind(_settings(imap=["127.0.0.1:0"]), 4, kept=second)
    assert [third.of_seat(seat)["imap"][0] for seat in range(3)] == seats


def test_reload_given_up_leaves_no_socket_without_a_worker(opened: list[Listeners]) -> None:
    first = bind(_settings(imap=["127.0.0.1:0"]), 1)
    opened.append(first)
    second = bind(_settings(imap=["127.0.0.1:0"], smtp=["127.0.0.1:0"]), 2, kept=first)
    extra, smtp = second.of_seat(1)["imap"][0], second.of_seat(0)["smtp"][0]
    second.abandon(first)
    assert (extra.fileno(), smtp.fileno()) == (-1, -1)
    assert first.of_seat(0)["imap"][0].fileno() >= 0
    third = bind(_settings(imap=["127.0.0.1:0"]), 2, kept=first)
    assert third.of_seat(1)["imap"][0].fileno() >= 0


def test_reload_that_fails_leaves_the_old_sockets(opened: list[Listeners]) -> None:
    first = bind(_settings(imap=["127.0.0.1:0"]), 1)
    opened.append(first)
    with pytest.raises(BadSettings):
        bind(_settings(imap=["127.0.0.1:0"], smtp=["192.0.2.1:0"]), 1, kept=first)
    assert first.of_seat(0)["imap"][0].fileno() >= 0


def test_seats_share_where_the_kernel_refuses_more(
    opened: list[Listeners], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    first = bind(_settings(imap=["127.0.0.1:0"]), 1)
    opened.append(first)
    monkeypatch.setattr(sockets, "_tcp", refuse)
    second = bind(_settings(imap=["127.0.0.1:0"]), 2, kept=first)
    assert second.of_seat(0) == second.of_seat(1)


def _where_they_land(port: int, seats: dict[int, socket.socket]) -> tuple[set[int], int]:
    """Seats that 40 connections come to, and how many are refused."""
    landed, refused = set[int](), 0
    for _ in range(40):
        try:
            socket.create_connection(("127.0.0.1", port), 30).close()
        except ConnectionRefusedError:
            refused += 1
    for seat, sock in seats.items():
        try:
            while True:
                sock.accept()[0].close()
                landed.add(seat)
        except OSError:
            continue
    return landed, refused


def test_a_seat_that_rests_takes_nobody_until_its_next_worker_listens(
    opened: list[Listeners], monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners = bind(_settings(imap=["127.0.0.1:0"]), 2)
    opened.append(listeners)
    port, seats = _port(listeners), {n: listeners.of_seat(n)["imap"][0] for n in range(2)}
    monkeypatch.setattr(sockets, "_tcp", None)  # as after privileges were dropped
    listeners.rest(0)  # it does not listen yet: nothing to do
    for sock in seats.values():
        sock.listen(64)
    assert _where_they_land(port, seats) == ({0, 1}, 0)
    listeners.rest(0)
    assert _where_they_land(port, seats) == ({1}, 0)
    listeners.rest(1)
    assert _where_they_land(port, seats) == (set(), 40)
    assert {n: listeners.of_seat(n)["imap"][0] for n in range(2)} == seats
    for sock in seats.values():
        sock.listen(64)
    assert _where_they_land(port, seats) == ({0, 1}, 0)


def test_a_seat_that_rests_leaves_a_shared_socket_to_the_others(
    opened: list[Listeners], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bind(_settings(imap=["127.0.0.1:0"]), 2)
    opened.append(first)
    monkeypatch.setattr(sockets, "_tcp", None)
    monkeypatch.setattr(sockets.Bound, "widen", lambda *_: [])
    shared = bind(_settings(imap=["127.0.0.1:0"]), 3, kept=first)
    seats = {n: shared.of_seat(n)["imap"][0] for n in range(2)}
    for sock in seats.values():
        sock.listen(64)
    shared.rest(2)  # its socket is that of seat 0, too
    assert _where_they_land(_port(shared), seats) == ({0, 1}, 0)
    shared.rest(1)
    assert _where_they_land(_port(shared), seats) == ({0}, 0)


def test_rest_leaves_sockets_alone_that_are_not_ours_to_stop(
    tmp_path: Path, opened: list[Listeners]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        lmtp = str(tmp_path / "lmtp.sock")
        listeners = bind(_settings(lmtp=[lmtp]), 1, given={"imap": [given]})
        opened.append(listeners)
        listeners.of_seat(0)["lmtp"][0].listen(1)
        listeners.rest(0)
        socket.create_connection(given.getsockname(), 30).close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(lmtp)


LOW_PORT = """
import errno, os, socket, sys
from mailnode.runtime.privileges import run_as
from mailnode.runtime.settings.listen import ListenSettings
from mailnode.runtime.sockets import bind
off = dict.fromkeys(ListenSettings().by_service(), ())
listeners = bind(ListenSettings.model_validate(off | {"imap": [sys.argv[1]]}), 1)
run_as("nobody", "").drop()
address = listeners.of_seat(0)["imap"][0].getsockname()
for _ in range(2):
    listeners.of_seat(0)["imap"][0].listen(5)
    socket.create_connection(address, 30).close()
    listeners.rest(0)
    client = socket.socket()
    print(errno.errorcode[client.connect_ex(address)])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop root")
def test_a_seat_rests_on_a_port_of_root_after_root_was_dropped() -> None:
    command = [sys.executable, "-c", LOW_PORT, f"127.0.0.1:{_free_low_port()}"]
    root = Path(__file__).parents[2]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    assert said.split() == ["ECONNREFUSED"] * 2


def _free_low_port() -> int:
    for port in range(1023, 600, -1):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port below 1024 is free")


def test_worker_closes_what_is_not_its_own(opened: list[Listeners]) -> None:
    listeners = bind(_settings(imap=["127.0.0.1:0"]), 2)
    opened.append(listeners)
    mine, other = (listeners.of_seat(seat)["imap"][0] for seat in (0, 1))
    listeners.close_other(0)
    assert (mine.fileno() >= 0, other.fileno()) == (True, -1)


def test_worker_of_a_new_generation_closes_what_only_the_old_one_had(
    opened: list[Listeners],
) -> None:
    old = bind(_settings(imap=["127.0.0.1:0"], pop3=["127.0.0.1:0"]), 1)
    opened.append(old)
    new = bind(_settings(imap=["127.0.0.1:0"]), 1, kept=old)
    kept, gone = (old.of_seat(0)[name][0] for name in ("imap", "pop3"))
    new.close_other(0, old)
    assert (kept.fileno() >= 0, gone.fileno()) == (True, -1)


def test_given_sockets_take_the_place_of_configured_ones(opened: list[Listeners]) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    listeners = bind(_settings(imap=["192.0.2.1:143"]), 2, given={"imap": [given]})
    opened.append(listeners)
    assert listeners.of_seat(1)["imap"] == [given]
    assert listeners.addresses() == {"imap": (Endpoint("127.0.0.1", given.getsockname()[1]),)}
    again = bind(_settings(), 3, given={"imap": [given]}, kept=listeners)
    assert again.of_seat(2)["imap"] == [given]


def test_file_limit_is_the_most_that_is_allowed() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert raise_file_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
