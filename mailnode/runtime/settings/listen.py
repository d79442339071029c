"""The ``[listen]`` section: which service listens where."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from mailnode.runtime.endpoint import Endpoint, parse_endpoint
from mailnode.runtime.settings.section import Section

# RFC 8314 3.3: on these ports TLS starts before the first byte.
IMPLICIT_TLS = frozenset({"submissions", "imaps", "pop3s"})


def _endpoint(value: object) -> Endpoint:
    if isinstance(value, Endpoint):
        return value
    if not isinstance(value, str):
        raise ValueError('must be text like "*:25"')
    return parse_endpoint(value)


Endpoints = tuple[Annotated[Endpoint, BeforeValidator(_endpoint)], ...]


def _everywhere(port: int, description: str) -> Endpoints:
    field: Endpoints = Field(default=(Endpoint("*", port),), description=description)
    return field


def _places(endpoint: Endpoint) -> tuple[Endpoint, ...]:
    """What nobody else may listen on; nothing where the system chooses."""
    if endpoint.host == "*":
        return tuple(
            p for host in ("0.0.0.0", "::") for p in _places(Endpoint(host, endpoint.port))
        )
    return (endpoint,) if endpoint.path or endpoint.port else ()


class ListenSettings(Section):
    """Where each service listens: a list of "*:port" (IPv4 and IPv6), "127.0.0.1:port",
    "[::1]:port", "name:port" or "/path.sock"; an empty list turns the service off,
    port 0 lets the system choose."""

    smtp: Endpoints = _everywhere(25, "Mail from other servers (MX).")
    submission: Endpoints = _everywhere(587, "Mail from users, STARTTLS.")
    submissions: Endpoints = _everywhere(465, "Mail from users, TLS from the start.")
    lmtp: Endpoints = Field(
        default=(),
        description="Mail from another mail server in front of this one; trusted, so prefer "
        'a path such as "/run/mailnode/lmtp.sock".',
    )
    imap: Endpoints = _everywhere(143, "IMAP, STARTTLS.")
    imaps: Endpoints = _everywhere(993, "IMAP, TLS from the start.")
    pop3: Endpoints = _everywhere(110, "POP3, STLS.")
    pop3s: Endpoints = _everywhere(995, "POP3, TLS from the start.")
    backlog: int = Field(
        default=512, ge=1, le=65535, description="Connections that may wait to be accepted."
    )
    unix_mode: str = Field(
        default="0660",
        pattern="^0?[0-7]{3}$",
        description="Who may connect to unix sockets, as octal mode.",
    )

    @model_validator(mode="after")
    def _apart(self) -> ListenSettings:
        """The system would let two services share a port, and give clients to either."""
        taken: dict[Endpoint, str] = {}
        for service, endpoints in self.by_service().items():
            for endpoint in endpoints:
                for place in _places(endpoint):
                    other = taken.setdefault(place, service)
                    if other != service:
                        raise ValueError(f"{other} and {service} both listen on {endpoint}")
        return self

    def by_service(self) -> dict[str, Endpoints]:
        """Each service that is on, with its addresses, in a fixed order."""
        names = [name for name in type(self).model_fields if name not in ("backlog", "unix_mode")]
        return {name: getattr(self, name) for name in names if getattr(self, name)}
