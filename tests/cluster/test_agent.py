"""The resource agent: every answer in every state, addresses raised, announced and withdrawn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import Network, checked, need_namespaces, need_program, network
from tests.support.processes import running

FILES = Path(__file__).parents[2] / "mailnode" / "admin" / "cluster_files"
AGENT = str(FILES / "ocf" / "mailnode")
HARESOURCES = str(FILES / "heartbeat" / "mailnode")
IP, IP6 = "10.91.0.25", "fd91::25"

SUCCESS, GENERIC, ARGS, UNIMPLEMENTED, PERMISSION, INSTALLED, CONFIGURED, NOT_RUNNING = range(8)

# Stands for `mailnode cluster ...`: answers what the file "answer" says, keeps what it was asked.
PROGRAM = """#!/bin/sh
echo "$*" >> {folder}/asked
case "$2" in
monitor) cat {folder}/say 2>/dev/null; eval "$(cat {folder}/answer)" ;;
drain) ip -o addr show to {ip} | sed 's/.*/drained while the address was here/' >> {folder}/asked ;;
esac
"""
LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(("peer0", 0))
s.settimeout(8); print("ready", flush=True)
arp, na = socket.inet_aton(sys.argv[1]), socket.inet_pton(socket.AF_INET6, sys.argv[2])
wanted, end = {"arp", "na"}, time.monotonic() + 8
while wanted and time.monotonic() < end:
    f = s.recv(2048)
    if f[12:14] == b"\\x08\\x06" and f[28:32] == f[38:42] == arp: wanted.discard("arp")
    if f[12:14] == b"\\x86\\xdd" and f[54:55] == b"\\x88" and f[62:78] == na: wanted.discard("na")
print("missing:", *sorted(wanted))
"""


class Bench:
    """A node's interface in a namespace, the agent, and a stand-in for mailnode."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.program = folder / "mailnode"
        self.program.write_text(PROGRAM.format(folder=folder, ip=IP))
        self.program.chmod(0o755)
        (folder / "mailnode.toml").touch()
        self.answers("exit 0")
        self.parameters = {
            "ip": IP,
            "ip6": IP6,
            "nic": "eth0",
            "config": str(folder / "mailnode.toml"),
            "program": str(self.program),
            "unit": "",
            "drain": "2",
            "ask": "2",
        }

    def answers(self, line: str) -> None:
        (self.folder / "answer").write_text(line + "\n")

    def asked(self) -> str:
        path = self.folder / "asked"
        return path.read_text() if path.exists() else ""

    def environment(self, **changed: str) -> dict[str, str]:
        parameters = self.parameters | changed
        return (  # as a cluster manager would give them
            {"PATH": os.environ["PATH"], "HA_LOGFILE": "/dev/null", "HA_debug": "0"}
            | {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": "node"}
            | {f"OCF_RESKEY_{key}": value for key, value in parameters.items()}
        )

    def act(self, action: str, depth: str = "0", **changed: str) -> int:
        return subprocess.run(
            self.network.command(AGENT, action),
            env=self.environment(**changed) | {"OCF_CHECK_LEVEL": depth},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=40,
        ).returncode

    def addresses(self) -> set[str]:
        shown = self.network.ip("-o addr show dev eth0")
        return {line.split()[3] for line in shown.splitlines()}


@pytest.fixture(params=["ip", "ipaddr2"])
def method(request: pytest.FixtureRequest) -> str:
    if request.param == "ipaddr2":
        need_program("/usr/lib/ocf/resource.d/heartbeat/IPaddr2")
    return str(request.param)


@pytest.fixture
def bench() -> Iterator[Bench]:
    need_namespaces()
    # Not tmp_path: other accounts must be able to reach the agent.
    with (
        tempfile.TemporaryDirectory(prefix="mailnode-agent-") as folder,
        network("agent") as inside,
    ):
        inside.ip("link add eth0 type veth peer name peer0")
        for link in ("eth0", "peer0"):
            inside.ip(f"link set {link} up")
        inside.ip("addr add 10.91.0.1/24 brd + dev eth0")
        inside.ip("-6 addr add fd91::1/64 dev eth0 nodad")
        Path(folder).chmod(0o755)
        yield Bench(inside, Path(folder))


def test_meta_data_is_whole_and_right() -> None:
    told = checked([AGENT, "meta-data"])
    for schema in (
        ["--relaxng", "/usr/share/resource-agents/metadata.rng"],
        ["--dtdvalid", "/usr/share/resource-agents/ra-api-1.dtd"],
    ):
        need_program("xmllint")
        if not Path(schema[1]).exists():
            pytest.skip("resource-agents is not installed")
        done = subprocess.run(
            ["xmllint", "--noout", "--nonet", *schema, "-"],
            input=told,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for action in checked([AGENT, "methods"]).split():
        assert f'<action name="{action}"' in told or action == "usage"


def test_ocf_tester_is_content(bench: Bench, method: str) -> None:
    need_program("ocf-tester", "xmllint")
    installed = bench.folder / "node"
    shutil.copy(AGENT, installed)
    given = [f"-o{key}={value}" for key, value in bench.parameters.items() if value]
    options = [word for one in given for word in ("-o", one[2:])]
    said = bench.network.run(
        "ocf-tester", "-n", "node", *options, "-o", f"method={method}", str(installed)
    )
    assert "passed all tests" in said


def test_the_address_comes_and_goes(bench: Bench, method: str) -> None:
    assert bench.act("monitor", method=method) == NOT_RUNNING
    for _ in range(2):  # the second changes nothing
        assert bench.act("start", method=method) == SUCCESS
        assert {f"{IP}/24", f"{IP6}/64"} <= bench.addresses()
    assert bench.act("monitor", method=method) == SUCCESS
    assert bench.act("status", method=method) == SUCCESS
    for _ in range(2):
        assert bench.act("stop", method=method) == SUCCESS
        assert bench.addresses().isdisjoint({f"{IP}/24", f"{IP6}/64"})
    assert bench.act("monitor", method=method) == NOT_RUNNING
    assert {"10.91.0.1/24", "fd91::1/64"} <= bench.addresses()


def test_neighbours_are_told(bench: Bench, method: str) -> None:
    need_program("/usr/libexec/heartbeat/send_arp", "/usr/libexec/heartbeat/send_ua")
    command = bench.network.command(sys.executable, "-c", LISTEN, IP, IP6)
    with running(command, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        assert bench.act("start", method=method) == SUCCESS
        assert listener.stdout.read() == "missing:\n"


def test_a_mailnode_that_does_not_serve_fails_the_monitor(bench: Bench) -> None:
    assert bench.act("start", method="ip") == SUCCESS
    for answer in ("exit 1", "exit 7", "exit 2", "kill -9 $$", "sleep 30"):
        bench.answers(answer)
        assert bench.act("monitor") == GENERIC, answer
    # The address does not stay with it.
    assert bench.act("stop") == SUCCESS
    assert f"{IP}/24" not in bench.addresses()


def test_the_deep_question_is_asked_at_level_ten(bench: Bench) -> None:
    assert bench.act("start", method="ip") == SUCCESS
    bench.answers('case "$*" in *"--level 10"*) exit 1 ;; esac')
    assert bench.act("monitor", "0") == SUCCESS
    assert bench.act("monitor", "10") == GENERIC
    assert bench.act("monitor", "20") == GENERIC


@pytest.mark.parametrize(("answer", "questions"), [("exit 1", 3), ("exit 7", 1)])
def test_no_address_stays_where_mailnode_never_serves(
    bench: Bench, answer: str, questions: int
) -> None:
    """A mailnode that does not even run, and that nobody starts, is not waited for."""
    bench.answers(answer)
    assert bench.act("start", method="ip", patience="2") == GENERIC
    assert bench.addresses().isdisjoint({f"{IP}/24", f"{IP6}/64"})
    assert bench.asked().count("cluster monitor") == questions


def test_half_an_address_is_a_failure_and_can_be_mended(bench: Bench) -> None:
    assert bench.act("start", method="ip") == SUCCESS
    bench.network.ip(f"addr del {IP6}/64 dev eth0")
    assert bench.act("monitor") == GENERIC
    assert bench.act("start", method="ip") == SUCCESS
    assert bench.act("monitor") == SUCCESS


def test_a_link_that_is_down_is_a_failure(bench: Bench) -> None:
    assert bench.act("start", method="ip", ip6="") == SUCCESS
    bench.network.ip("link set eth0 down")
    assert bench.act("monitor", ip6="") == GENERIC
    # Nobody is there whose transactions could end.
    assert bench.act("stop", ip6="") == SUCCESS
    assert "drain" not in bench.asked().replace("undrain", "")


def test_the_address_is_drained_before_it_goes(bench: Bench) -> None:
    assert bench.act("start", method="ip") == SUCCESS
    assert bench.act("stop", method="ip") == SUCCESS
    asked = bench.asked()
    assert f"--within 2 --address {IP} --address {IP6}" in asked
    assert "drained while the address was here" in asked
    assert bench.act("stop", drain="0") == SUCCESS


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"ip": "", "ip6": ""}, CONFIGURED),
        ({"ip": "10.91.0.256"}, CONFIGURED),
        ({"ip": "10.91.0.25/24"}, CONFIGURED),
        ({"ip6": "10.91.0.25"}, CONFIGURED),
        ({"cidr": "33"}, CONFIGURED),
        ({"drain": "soon"}, CONFIGURED),
        ({"ask": "0"}, CONFIGURED),
        ({"method": "carp"}, CONFIGURED),
        ({"nic": "eth7"}, INSTALLED),
        ({"nic": "", "ip": "192.0.2.1"}, INSTALLED),
        ({"config": "/nowhere/mailnode.toml"}, INSTALLED),
        ({"program": "/nowhere/mailnode"}, INSTALLED),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_wrong_parameters_have_their_own_status(
    bench: Bench, wrong: dict[str, str], status: int
) -> None:
    assert bench.act("validate-all", **wrong) == status
    assert bench.act("start", **wrong) == status
    # Where the address is not, a probe says so, whatever else this node lacks.
    assert bench.act("monitor", **wrong) == (CONFIGURED if status == CONFIGURED else NOT_RUNNING)


def test_what_is_no_action_is_said_to_be_none(bench: Bench) -> None:
    assert bench.act("promote") == UNIMPLEMENTED
    assert subprocess.run([AGENT], capture_output=True, check=False).returncode == ARGS


def test_only_root_changes_addresses(bench: Bench) -> None:
    agent = bench.folder / "node"
    shutil.copy(AGENT, agent)
    done = subprocess.run(
        bench.network.command("setpriv", "--reuid=65534", "--clear-groups", str(agent), "start"),
        env=bench.environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == PERMISSION


def test_haresources_form(bench: Bench) -> None:
    defaults = bench.folder / "defaults"
    lines = [f"OCF_RESKEY_{key}={bench.parameters[key]}" for key in ("config", "program", "ask")]
    defaults.write_text("\n".join([*lines, "OCF_RESKEY_method=ip", "OCF_RESKEY_unit="]) + "\n")
    own = {"PATH": os.environ["PATH"], "MAILNODE_AGENT": AGENT, "HA_LOGFILE": "/dev/null"}
    own |= {"MAILNODE_HA_DEFAULTS": str(defaults)}

    def act(action: str) -> str:
        words = (f"{IP}/24/eth0", "fd91:0:0:0:0:0:0:25/64", action)
        return bench.network.run(
            HARESOURCES, *words, env=own, fails=action in ("status", "monitor")
        )

    assert act("status") == "stopped\n"
    act("start")
    assert {f"{IP}/24", f"{IP6}/64"} <= bench.addresses()
    assert act("status") == act("monitor") == "running OK\n"
    bench.answers("exit 1")
    assert act("monitor").splitlines()[-1] == "running, but mailnode does not serve"
    # What Heartbeat asks in the middle of a takeover is answered without mailnode.
    asked = bench.asked()
    assert act("status") == "running OK\n"
    assert bench.asked() == asked
    bench.network.ip(f"addr del {IP}/24 dev eth0")
    assert act("status") == "running OK\n", "what is left would not be stopped"
    act("stop")
    assert act("status") == "stopped\n"
