"""The mail log: one structured line per event, from a closed vocabulary.

Promises: every line about a message carries its ``queue_id``; passwords, AUTH exchanges and
message bodies are no fields of any event. A line parses back into its fields.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    """Everything the mail log can say. The comment names the fields besides time and node."""

    STARTED = "started"  # pid, services
    STOPPED = "stopped"  # pid
    WORKER_DIED = "worker-died"  # pid, status
    RELOADED = "reloaded"
    CONNECTED = "connected"  # service, peer, local
    DISCONNECTED = "disconnected"  # service, peer, reason, seconds
    LOGIN = "login"  # service, peer, user, mechanism, tls
    LOGIN_FAILED = "login-failed"  # service, peer, user, reason
    REFUSED = "refused"  # queue_id?, service, peer, sender, recipient, code, reason
    ACCEPTED = "accepted"  # queue_id, service, peer, sender, recipients, size, message_id
    DELIVERED = "delivered"  # queue_id, recipient, mailbox
    DEFERRED = "deferred"  # queue_id, recipient, code, reason, next_try
    FAILED = "failed"  # queue_id, recipient, code, reason
    QUEUED = "queued"  # queue_id, recipients
    REMOVED = "removed"  # queue_id: nothing owed any more
    LEASE = "lease"  # of, holding, by?: a node's right to serve changed hands
    ADOPTED = "adopted"  # of, entries: delivered from a dead node's queue
    DRAIN = "drain"  # everything, addresses: connections that are to end
    PEER = "peer"  # of, heard: hints of another node began or ceased to come
    SHARED = "shared"  # user, folder, identifier, rights: an access control list changed
    ADDRESSES = "addresses"  # raised: those for clients that this machine has now
    EXPUNGED = "expunged"  # service, user, folder, count
    STORAGE = "storage"  # path, reason, remedy
    DATABASE = "database"  # reason, remedy
    ISSUER = "issuer"  # reason, remedy: access tokens cannot be judged for now
    SETTINGS = "settings"  # key?, reason, remedy: settings or certificates a person should mend
    LIBRARY = "library"  # logger, level, text: a warning from a library
    LOG_DROPPED = "log-dropped"  # lines: the log's target did not take so many
    ERROR = "error"  # what, cause: a fault of ours, with its traceback


class MailLog(Protocol):
    """Where events go."""

    def event(self, event: Event, **fields: object) -> None:
        """Write one line; thread-safe, never raises, never blocks for long."""


class NullLog:
    """Says nothing; keeps nothing."""

    def event(self, event: Event, **fields: object) -> None:
        """Drop it."""


class ListLog:
    """Keeps the events, for tests."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, dict[str, object]]] = []

    def event(self, event: Event, **fields: object) -> None:
        """Remember it."""
        self.events.append((event, fields))
