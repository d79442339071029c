"""One login by SASL, whatever protocol carries its lines.

Promises: the same mechanisms, checks and answers for SMTP, IMAP, POP3 and what comes after them;
passwords and tokens go to the gate and nowhere else.
Fails: ``DirectoryGone``, and whatever ``ask`` raises.
RFC: 4422 3, 5802 6 (channel binding), 7628 3.2 (refused tokens).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailnode.directory import Gate, LoginFailure, Mailbox, Service
from mailnode.model.tunnel import Tunnel
from mailnode.wire.sasl import (
    PASSWORDS,
    SCRAMS,
    SCRAMS_PLUS,
    TOKENS,
    Certified,
    Challenge,
    Credentials,
    Dialog,
    Heard,
    KeysWanted,
    Proof,
    SaslFailure,
    SaslFault,
    Step,
    Token,
    challenge_line,
    open_dialog,
)

# Sends a challenge (in base64) and gives the client's next line without its line end; ``None``
# for one beyond ``wire.sasl.dialog.LINE_LIMIT``.
Ask = Callable[[bytes], Awaitable[bytes | None]]
Outcome = Mailbox | LoginFailure | SaslFault


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that wants to log in."""

    gate: Gate
    service: Service
    peer: str
    tls: bool
    tunnel: Tunnel | None

    def bindable(self) -> Tunnel | None:
        """The TLS connection, where a login can be bound to it."""
        return self.tunnel if self.tunnel is not None and self.tunnel.bindings() else None


def offers(visitor: Visitor) -> tuple[str, ...]:
    """The mechanisms that this client may use now, the strongest first."""
    gate, tunnel = visitor.gate, visitor.tunnel
    found: list[str] = []
    # RFC 4422 A: only where there is something that the client has shown.
    if tunnel is not None and tunnel.client_names():
        found.append("EXTERNAL")
    if gate.scram:
        found += SCRAMS_PLUS if visitor.bindable() else ()
        found += SCRAMS
    if gate.issuer is not None:
        found += TOKENS
    return (*found, *PASSWORDS)


async def authenticate(
    visitor: Visitor, mechanism: str, initial: bytes | None, ask: Ask
) -> Outcome:
    """Run the exchange that the client has begun. ``initial``: see ``Dialog.begin``."""
    tunnel = visitor.bindable()
    binding = tunnel.binding if tunnel is not None else None
    dialog = open_dialog(mechanism, offers(visitor), binding)
    if dialog is None:
        return SaslFault.UNKNOWN
    return await _Run(visitor, dialog, ask).through(dialog.begin(initial))


async def check(visitor: Visitor, claim: Credentials) -> Mailbox | LoginFailure:
    """A name and a password."""
    # RFC 4616 2: nobody here may act as somebody else.
    if claim.for_another:
        return LoginFailure.ANOTHER
    return await visitor.gate.login(
        claim.authcid,
        claim.password,
        visitor.service,
        visitor.peer,
        mechanism=claim.mechanism,
        tls=visitor.tls,
    )


@dataclass(slots=True)
class _Run:
    """One exchange; ``verdict`` is why a token was refused, until the client has heard it."""

    visitor: Visitor
    dialog: Dialog
    ask: Ask
    verdict: LoginFailure = LoginFailure.TOKEN

    async def through(self, step: Step) -> Outcome:
        while True:
            if isinstance(step, Challenge):
                line = await self.ask(challenge_line(step))
                if line is None:
                    return SaslFault.TOO_LONG
                step = self.dialog.answer(line)
            elif isinstance(step, KeysWanted):
                keys = await self.visitor.gate.scram_keys(step.user, step.mechanism)
                step = self.dialog.keys(keys)
            elif isinstance(step, Token):
                found = await self._token(step)
                if isinstance(found, Mailbox):
                    return found
                step = found
            else:
                return await self._end(step)

    async def _end(self, step: Credentials | Proof | Certified | Heard | SaslFailure) -> Outcome:
        if isinstance(step, SaslFailure):
            return step.fault
        if isinstance(step, Credentials):
            return await check(self.visitor, step)
        if isinstance(step, Proof):
            return await self._proved(step)
        if isinstance(step, Certified):
            return await self._certified(step)
        return self.verdict

    async def _proved(self, proof: Proof) -> Outcome:
        """RFC 5802: the proof was checked already, the user's state was not."""
        found = await self.visitor.gate.proved(
            proof.authcid,
            proof.right and not proof.for_another,
            self.visitor.service,
            self.visitor.peer,
            mechanism=self.dialog.mechanism,
            tls=self.visitor.tls,
        )
        return LoginFailure.ANOTHER if proof.right and proof.for_another else found

    async def _certified(self, claim: Certified) -> Outcome:
        tunnel = self.visitor.tunnel
        return await self.visitor.gate.certified(
            tunnel.client_names() if tunnel is not None else (),
            claim.authzid,
            self.visitor.service,
            self.visitor.peer,
            mechanism=claim.mechanism,
        )

    async def _token(self, claim: Token) -> Mailbox | Step:
        gate = self.visitor.gate
        found = await gate.token(
            claim.user,
            claim.token,
            self.visitor.service,
            self.visitor.peer,
            mechanism=claim.mechanism,
            tls=self.visitor.tls,
        )
        if isinstance(found, Mailbox):
            return found
        self.verdict = found
        # RFC 7628 3.2.2, 6750 3.1
        status = "insufficient_scope" if found is LoginFailure.SCOPE else "invalid_token"
        issuer = gate.issuer
        scope, where = (issuer.scope, issuer.configuration) if issuer else ("", "")
        return self.dialog.refuse(status, scope, where)
