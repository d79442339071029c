"""One machine that has nothing but Debian and the program, as after README's ``pip install``."""

from __future__ import annotations

import contextlib
import imaplib
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.vm.clients import PATIENCE_S
from tests.vm.images import Images
from tests.vm.machine import Machine
from tests.vm.network import networks
from tests.vm.plan import ALONE

# An emulated machine beside others takes its time.
STEP_S = 180.0


@dataclass(frozen=True)
class Lone:
    """The machine, and the mailbox that quickstart made on it."""

    machine: Machine
    mailbox: str
    password: str

    def __call__(self, command: str) -> str:
        """What a command says that has to succeed."""
        return self.machine.say(command, STEP_S)

    def subjects(self) -> list[str]:
        """What the mailbox has, by IMAP with STARTTLS."""
        with imaplib.IMAP4(ALONE.own, 143, timeout=PATIENCE_S) as client:
            client.starttls(any_certificate())
            client.login(self.mailbox, self.password)
            client.select("INBOX")
            _, said = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        lines = [one[1].decode().strip() for one in said if isinstance(one, tuple)]
        return [line.removeprefix("Subject: ") for line in lines]

    def picture(self) -> str:
        """How the service is, for whoever has to find out why."""
        return self.machine.say.run(
            "uptime; free -m; systemctl --failed --no-legend; systemctl status mailnode --no-pager;"
            " journalctl -u mailnode -q --no-pager | tail -n 40"
        ).output


def any_certificate() -> ssl.SSLContext:
    """A client's that asks no server who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def lone_machine(images: Images) -> Iterator[Machine]:
    """It is up, and ends with its disks. Raises ``GuestGone`` when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="mailnode-lab") as name, networks([ALONE]):
        machine = Machine(ALONE, images, Path(name), lambda _: "unreachable")
        try:
            machine.start()
            machine.until_up()
            yield machine
        finally:
            machine.power_off()
