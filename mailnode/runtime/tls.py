"""Certificates for both TLS stacks: ``ssl`` for asyncio, pyOpenSSL for Twisted."""

from __future__ import annotations

import ssl
from typing import Any, Protocol


class Certificates(Protocol):
    """The server's certificate and key; ``reload`` swaps them for new connections only."""

    def asyncio_context(self) -> ssl.SSLContext:
        """A server-side context for aiosmtpd; the same object until ``reload``."""

    def twisted_options(self) -> Any:
        """What ``transport.startTLS`` and ``TLSMemoryBIOFactory`` take
        (``IOpenSSLServerConnectionCreator``); always the newest certificate."""

    def reload(self) -> None:
        """Read the files again. Raises ``BadSettings`` and keeps the old ones on a bad file."""
