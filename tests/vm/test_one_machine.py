"""README's "Run it for real" on a machine with a live systemd: quickstart, the unit it writes with
all its hardening, and what systemd does with the service."""

from __future__ import annotations

import imaplib
import json
import smtplib
from collections.abc import Iterator

import pytest

from tests.vm.alone import STEP_S, Lone, any_certificate, lone_machine
from tests.vm.clients import PATIENCE_S
from tests.vm.images import Images
from tests.vm.plan import ALONE, DOMAIN

pytestmark = [pytest.mark.vm, pytest.mark.timeout(600)]

SETTINGS = "/etc/mailnode/mailnode.toml"
TEXT = "Subject: {}\r\n\r\ntext\r\n"


@pytest.fixture(scope="module")
def quick(lab_images: Images) -> Iterator[Lone]:
    """A machine that was set up as README says, and started."""
    with lone_machine(lab_images) as machine:
        # The guests' system has an account of that name already.
        machine.say("userdel mailnode")
        machine.say("ln -s /opt/mailnode/bin/mailnode /usr/local/bin/")
        said = machine.say(f"mailnode quickstart {DOMAIN} --json", STEP_S)
        made = json.loads(said)
        assert "the account mailnode was made" in made["notes"]
        machine.say("systemctl daemon-reload && systemctl enable --now mailnode", STEP_S)
        yield Lone(machine, made["mailbox"], made["password"])


@pytest.fixture
def served(quick: Lone) -> Lone:
    """It runs, whatever the test before did to it."""
    quick("systemctl start mailnode")
    return quick


def test_quickstart_and_the_unit_make_a_machine_that_takes_and_gives_mail(served: Lone) -> None:
    with smtplib.SMTP(ALONE.own, 25, timeout=PATIENCE_S) as client:
        client.sendmail("far@elsewhere.test", [served.mailbox], TEXT.format("from afar"))
    with smtplib.SMTP(ALONE.own, 587, timeout=PATIENCE_S) as client:
        client.starttls(context=any_certificate())
        client.login(served.mailbox, served.password)
        client.sendmail(served.mailbox, [served.mailbox], TEXT.format("my own"))
    assert served.subjects() == ["from afar", "my own"]
    with imaplib.IMAP4_SSL(
        ALONE.own, 993, ssl_context=any_certificate(), timeout=PATIENCE_S
    ) as imap:
        imap.login(served.mailbox, served.password)
    # Ports below 1024, and yet no process of root's, nor one that could become it.
    said = served("ps -o user=,pid= -p $(systemctl show mailnode -P MainPID)")
    assert said.split()[0] == "mailnode"
    procs = "/sys/fs/cgroup/system.slice/mailnode.service/cgroup.procs"
    users = served(f"for pid in $(cat {procs}); do ps -o user= -p $pid; done").split()
    assert len(users) > 1
    assert set(users) == {"mailnode"}
    # Neither systemd nor the kernel has anything to say against it.
    assert served("journalctl -u mailnode -p warning -q -o cat") == ""
    assert "Active: active (running)" in served("systemctl status mailnode --no-pager")


def test_reload_tells_of_wrong_settings_and_keeps_those_in_force(served: Lone) -> None:
    before = served("systemctl show mailnode -P MainPID")
    served(f"cp {SETTINGS} /run/whole; echo 'wrong_key = 1' >> {SETTINGS}")
    refused = served.machine.say.run("systemctl reload mailnode", STEP_S)
    served(f"cat /run/whole > {SETTINGS}")
    assert refused.status != 0
    assert "wrong_key: unknown key" in served("journalctl -u mailnode -q -o cat -n 20")
    assert served("systemctl is-active mailnode") == "active\n"
    served("systemctl reload mailnode")
    assert "event=reloaded" in served("journalctl -u mailnode -q -o cat -n 20")
    assert served("systemctl show mailnode -P MainPID") == before


def test_systemd_starts_it_anew_when_it_is_killed(served: Lone) -> None:
    before = int(served("systemctl show mailnode -P NRestarts"))
    served("systemctl kill -s KILL --kill-whom=main mailnode")
    served(
        f"until [ $(systemctl show mailnode -P NRestarts) -gt {before} ] &&"
        " systemctl -q is-active mailnode; do sleep 0.3; done"
    )
    with smtplib.SMTP(ALONE.own, 25, timeout=PATIENCE_S) as client:
        assert client.noop()[0] == 250


def test_stop_lets_a_transaction_end(served: Lone) -> None:
    with smtplib.SMTP(ALONE.own, 25, timeout=PATIENCE_S) as client:
        client.ehlo()
        client.mail("far@elsewhere.test")
        client.rcpt(served.mailbox)
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: half\r\n")
        stopped = served.machine.say.start("systemctl stop mailnode", STEP_S)
        served("until systemctl show mailnode -P StatusText | grep -q Draining; do sleep 0.1; done")
        client.send(b"\r\ntext\r\n.\r\n")
        assert client.getreply()[0] == 250
        client.close()  # a farewell comes as well
    assert stopped().status == 0
    assert "Result=success" in served("systemctl show mailnode")
    assert served("grep -rl '^Subject: half' /var/lib/mailnode/mail | wc -l") == "1\n"
