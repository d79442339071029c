"""Hints to and from other nodes, by UDP.

Promises: one worker speaks for its node; it never waits for the network, sends a bounded number
of datagrams a second and, of many hints for one folder, one. Only what is authentic, new and meant
for this very process is heard; the rest is counted. Answers go to the configured address of a
node, never to where a datagram came from. When the speaker dies another worker takes its place;
hints in between are lost, which costs the poll period at most.
Locks: ``speaker.lock`` in the node's run folder, by flock.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from mailnode.cluster.hint import decode as decode_hints
from mailnode.cluster.hint import encode
from mailnode.cluster.peer import PeerState
from mailnode.cluster.sealed import (
    DATAGRAM_MAX_BYTES,
    UNKNOWN_BOOT,
    Hello,
    Kind,
    Refusal,
    Sealed,
    key_of,
    pack_hello,
    seal,
    unpack_hello,
    unseal,
)
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.cluster import ClusterSettings

HELLO_S = 1.0
# Fits into one packet of any path (RFC 8200 5: 1280 bytes) with headers and seal.
_BATCH_BYTES = 1100
_GATHER_S = 0.004
_RATE_PER_S, _BURST = 1000.0, 200.0
_WAITING_MAX_KEYS = 4096
_READS_PER_WAKE = 64
_REPLY_S = 0.1
_RETRY_S = 0.25
_RESOLVE_S = 60.0
_LOOK_AT_ALL = 1

Heard = Callable[[Mapping[str, int], bool], None]


class Beyond:
    """One per worker. ``heard(hints, all)`` is called on the loop; ``all``: look at every folder.
    ``transmit`` is the last step out, for tests that lose datagrams."""

    def __init__(
        self,
        *,
        settings: ClusterSettings,
        node: str,
        secret: bytes,
        folder: Path,
        clock: Clock,
        log: MailLog,
        heard: Heard,
        transmit: Callable[[socket.socket, bytes, tuple[str, int]], object] = socket.socket.sendto,
    ) -> None:
        self._settings, self._node, self._key = settings, node, key_of(secret)
        self._clock, self._log, self._heard, self._transmit = clock, log, heard, transmit
        self._loop = asyncio.get_running_loop()
        self._lock_path = folder / "speaker.lock"
        self._boot, self._counter = secrets.token_bytes(8), 0
        self._peers = {p.name: PeerState(p) for p in settings.nodes if p.name != node}
        self._sockets: dict[int, socket.socket] = {}
        self._lock_fd = -1
        self._waiting: dict[str, int] = {}
        self._all = False
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushed_at, self._tokens = float("-inf"), _BURST
        self.refused: Counter[Refusal] = Counter()
        self._speaking = asyncio.create_task(self._speak())

    # -- for this node --------------------------------------------------------------------------

    @property
    def speaks(self) -> bool:
        """Whether this process speaks for its node."""
        return bool(self._sockets)

    def is_heard(self, node: str) -> bool:
        """Whether another node spoke to this process just now."""
        state = self._peers.get(node)
        return state is not None and state.is_heard(self._clock.monotonic())

    def facts(self) -> dict[str, object]:
        """For the status command; nothing when another worker speaks."""
        if not self.speaks:
            return {}
        now = self._clock.monotonic()
        peers = [state.facts(now) for state in self._peers.values()]
        return {"peers": peers, "refused": {str(why): n for why, n in self.refused.items()}}

    def offer(self, hints: Mapping[str, int], everything: bool = False) -> None:
        """What changed on this node; told to the others unless another worker does."""
        if not self.speaks:
            return
        for key, modseq in hints.items():
            self._waiting[key] = max(modseq, self._waiting.get(key, 0))
        self._all = self._all or everything
        if len(self._waiting) > _WAITING_MAX_KEYS:
            self._waiting.clear()
            self._all = True
        if self._flush_timer is None:
            wait_s = self._flushed_at + _GATHER_S - self._loop.time()
            if wait_s <= 0:
                self._flush()
            else:
                self._flush_timer = self._loop.call_later(wait_s, self._flush)

    async def close(self) -> None:
        """Fall silent."""
        self._speaking.cancel()
        await asyncio.gather(self._speaking, return_exceptions=True)
        self._hush()

    # -- who speaks -----------------------------------------------------------------------------

    async def _speak(self) -> None:
        told = ""
        while True:
            try:
                if self._is_ours():
                    await self._open()
                    break
            except OSError as error:
                if told != str(error):
                    told = str(error)
                    remedy = "free the port, or change cluster.listen"
                    self._log.event(
                        Event.SETTINGS, key="cluster.listen", reason=told, remedy=remedy
                    )
            self._close_sockets()
            await asyncio.sleep(_RETRY_S)
        resolved_at = self._loop.time()
        while True:
            self._greet()
            await asyncio.sleep(HELLO_S)
            if self._loop.time() - resolved_at > _RESOLVE_S:
                await self._resolve()
                resolved_at = self._loop.time()

    def _is_ours(self) -> bool:
        if self._lock_fd >= 0:
            return True
        fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._lock_fd = fd
        return True

    async def _open(self) -> None:
        await self._resolve()
        for endpoint in self._settings.listen:
            for host in ("0.0.0.0", "::") if endpoint.host == "*" else (endpoint.host,):
                family, address = await self._look_up(host, endpoint.port)
                sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                self._sockets[family] = sock
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(address)
                self._loop.add_reader(sock, self._read, sock)

    async def _resolve(self) -> None:
        for state in self._peers.values():
            endpoint = state.peer.endpoint
            try:
                state.address = await self._look_up(endpoint.host, endpoint.port)
            except OSError:
                continue  # as before; asked again in a minute

    async def _look_up(self, host: str, port: int) -> tuple[int, tuple[str, int]]:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, address = found[0]
        return family, (str(address[0]), int(address[1]))

    def _hush(self) -> None:
        if self._flush_timer:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._close_sockets()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _close_sockets(self) -> None:
        for sock in self._sockets.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    # -- out ------------------------------------------------------------------------------------

    def _greet(self) -> None:
        now = self._clock.monotonic()
        for state in self._peers.values():
            self._send_hello(state, state.boot)
            heard = state.is_heard(now)
            if heard != state.was_heard:
                state.was_heard = heard
                self._log.event(Event.PEER, of=state.peer.name, heard=heard)

    def _send_hello(self, state: PeerState, to: bytes) -> None:
        now = self._clock.monotonic()
        held_us = int((now - state.hello_at) * 1e6) if state.hello_us else 0
        newest = self._settings.speak_version
        hello = Hello(newest, int(now * 1e6), state.hello_us, held_us)
        self._send(state, 1, Kind.HELLO, to, pack_hello(hello, newest))

    def _flush(self) -> None:
        self._flush_timer = None
        now = self._loop.time()
        self._tokens = min(_BURST, self._tokens + (now - self._flushed_at) * _RATE_PER_S)
        self._flushed_at = now
        batches = list(encode(self._waiting, _BATCH_BYTES)) or ([b""] if self._all else [])
        while batches and self._tokens >= 1:
            self._tokens -= 1
            self._send_hints(batches.pop(0))
        # What the rate does not let out waits, and becomes one hint with what comes meanwhile.
        self._waiting = {key: seq for one in batches for key, seq in decode_hints(one) or ()}
        if self._waiting or (self._all and batches):
            self._flush_timer = self._loop.call_later(_GATHER_S * 5, self._flush)
        else:
            self._all = False

    def _send_hints(self, records: bytes) -> None:
        for state in self._peers.values():
            if state.boot != UNKNOWN_BOOT:
                flags = bytes([_LOOK_AT_ALL if self._all else 0])
                body = flags + records if state.version > 1 else records
                self._send(state, state.version, Kind.HINTS, state.boot, body)

    def _send(self, state: PeerState, version: int, kind: Kind, to: bytes, body: bytes) -> None:
        sock = self._sockets.get(state.address[0]) if state.address else None
        if sock is None or state.address is None:
            return
        self._counter += 1
        what = Sealed(version, kind, self._node, self._boot, self._counter, to, body)
        state.sent += 1
        try:
            self._transmit(sock, seal(self._key, what), state.address[1])
        except OSError:
            return  # no route, no buffer: a hint less

    # -- in -------------------------------------------------------------------------------------

    def _read(self, sock: socket.socket) -> None:
        hints: dict[str, int] = {}
        everything = False
        for _ in range(_READS_PER_WAKE):
            try:
                datagram = sock.recv(DATAGRAM_MAX_BYTES + 1)
            except OSError:
                break
            found = unseal(self._key, datagram)
            refused = found if isinstance(found, Refusal) else self._judge(found)
            if refused is not None:
                self.refused[refused] += 1
            elif isinstance(found, Sealed) and found.kind is Kind.HINTS:
                flags = found.body[0] if found.version > 1 and found.body else 0
                records = found.body[1:] if found.version > 1 else found.body
                hints.update(decode_hints(records) or ())
                everything = everything or bool(flags & _LOOK_AT_ALL)
        if hints or everything:
            self._heard(hints, everything)

    def _judge(self, found: Sealed) -> Refusal | None:
        """Whether an authentic datagram is to be taken; a HELLO is answered where that helps."""
        state = self._peers.get(found.node)
        if state is None:
            return Refusal.STRANGER
        if found.to != self._boot:
            # It does not know us yet, or knew who spoke before us. It may be an old one, so
            # nothing in it is believed; but whoever lives will want to know us.
            self._reply(state, found.boot)
            greets = found.kind is Kind.HELLO and found.to == UNKNOWN_BOOT
            return None if greets else Refusal.STALE
        if not state.take(found):
            return Refusal.REPLAYED
        if found.kind is Kind.HELLO:
            hello = unpack_hello(found.body)
            if hello is None:
                return Refusal.MALFORMED
            now = self._clock.monotonic()
            if state.learn(found, hello, self._settings.speak_version, now):
                self._reply(state, state.boot)
            if state.is_crowded:
                self._change_boot()
        return None

    def _reply(self, state: PeerState, to: bytes) -> None:
        now = self._clock.monotonic()
        if now - state.replied_at >= _REPLY_S:
            state.replied_at = now
            self._send_hello(state, to)

    def _change_boot(self) -> None:
        self._boot, self._counter = secrets.token_bytes(8), 0
        for state in self._peers.values():
            state.windows.clear()
            state.boot = UNKNOWN_BOOT
