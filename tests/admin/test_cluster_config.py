"""`mailnode cluster config`: what it writes, judged by the programs it is written for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailnode.admin.cli.app import app
from mailnode.admin.cluster_plan import Node, Plan, parse_node
from mailnode.admin.cluster_writer import PLACES, TEMPLATES, render, write
from mailnode.runtime.settings.load import load_settings
from tests.support.namespaces import checked, need_program

ROOT = Path(__file__).parents[2]
PAIR = (
    parse_node("n1=10.0.0.1/192.0.2.25/2001:db8::25"),
    parse_node("n2=10.0.0.2/192.0.2.26/2001:db8::26"),
)
THREE = (*PAIR, parse_node("n3=10.0.0.3/192.0.2.27/2001:db8::27"))


def plan(nodes: tuple[Node, ...] = PAIR, **more: object) -> Plan:
    return Plan(nodes=nodes, domain="example.org", secret="replace-this-secret", **more)  # type: ignore[arg-type]  # a test's choice


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    # A program that is there, for checkers that look.
    write(plan(program="/bin/true"), folder)
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three")
    write(plan(THREE, program="/bin/true"), folder)
    return folder


# -- the command -------------------------------------------------------------------------------


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["cluster", "config", *words])
    return done.exit_code, done.output or str(done.exception)


def test_examples_in_the_repository_are_what_it_writes_today(tmp_path: Path) -> None:
    """Write anew: mailnode cluster config --node n1=10.0.0.1/192.0.2.25/2001:db8::25
    --node n2=10.0.0.2/192.0.2.26/2001:db8::26 --link-nic eth1 --secret replace-this-secret
    --out config"""
    nodes = [f"{n.name}={n.address}/{n.service}/{n.service6}" for n in PAIR]
    words = [word for node in nodes for word in ("--node", node)]
    words += ["--link-nic", "eth1", "--secret", "replace-this-secret"]
    status, said = run(*words, "--out", str(tmp_path), "--json")
    assert status == 0, said
    for one in json.loads(said):
        kept, made = ROOT / "config" / one["file"], tmp_path / one["file"]
        assert kept.read_text() == made.read_text(), f"{kept} is stale"
        assert os.access(kept, os.X_OK) == os.access(made, os.X_OK), one["file"]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (["n1=10.0.0.1/192.0.2.1"], "two nodes at least"),
        (["n1=10.0.0.1/192.0.2.1", "n1=10.0.0.2/192.0.2.2"], "same name"),
        (["n1=10.0.0.1/192.0.2.1", "n2=10.0.0.2/192.0.2.1"], "same service"),
        (["n1=10.0.0.1/192.0.2.1/fd00::1", "n2=10.0.0.2/192.0.2.2"], "IPv6"),
        (["n1=10.0.0.1", "n2=10.0.0.2"], "name=address/service-address"),
        (["n 1=10.0.0.1/192.0.2.1", "n2=10.0.0.2/192.0.2.2"], "not a node name"),
        (["n1=10.0.0.1/192.0.2.x", "n2=10.0.0.2/192.0.2.2"], "192.0.2.x"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(tmp_path: Path, nodes: list[str], reason: str) -> None:
    status, said = run(*(w for n in nodes for w in ("--node", n)), "--out", str(tmp_path / "o"))
    assert status != 0
    assert reason in said
    assert not (tmp_path / "o").exists()


def test_secrets_are_for_their_owner_only_and_different_each_time(tmp_path: Path) -> None:
    words = ["--node", "n1=10.0.0.1/192.0.2.25", "--node", "n2=10.0.0.2/192.0.2.26"]
    found = []
    for name in ("one", "two"):
        assert run(*words, "--out", str(tmp_path / name))[0] == 0
        found.append((tmp_path / name / "heartbeat/authkeys").read_text().split()[-1])
    assert found[0] != found[1]
    for path in (tmp_path / "one").rglob("*"):
        if path.is_file() and found[0] in path.read_text():
            assert path.stat().st_mode & 0o077 == 0, path


def test_every_template_is_used_and_filled() -> None:
    there = {str(p.relative_to(TEMPLATES)) for p in TEMPLATES.rglob("*") if p.is_file()}
    assert there == {*PLACES, "README.md"}
    for nodes in (PAIR, THREE):
        for file in render(plan(nodes)):
            assert not re.search(r"@@[a-z_]+@@", file.text), file.name


def test_three_nodes_get_no_files_that_know_two_only() -> None:
    names = {file.name for file in render(plan(THREE))}
    assert not [name for name in names if name.startswith(("drbd/", "heartbeat/"))]
    assert {"mailnode/n3.toml", "keepalived/n3.conf", "mariadb/galera-n3.cnf"} <= names


def test_every_file_that_the_documentation_names_is_written() -> None:
    page = (ROOT / "docs/cluster.md").read_text()
    files = {file.name: file.place for file in render(plan())}
    named = set(re.findall(r"/root/cluster/([\w./-]+\w)", page)) - {"README.md"}
    assert named
    assert named <= files.keys()
    # What a person makes or fetches, and what mailnode's own unit brings.
    own = {"cluster.secret", "fence.password", "tls"}
    placed = set(re.findall(r"/etc/mailnode/([\w.-]+\w)", page)) - own
    assert placed <= {Path(place).name for place in files.values()}
    for folder in re.findall(r"^\| `([a-z0-9-]+)/`", page, re.MULTILINE):
        assert any(name.startswith(f"{folder}/") for name in files), folder


def test_the_command_on_the_page_makes_the_page_s_cluster(tmp_path: Path) -> None:
    """Two interfaces there: Heartbeat hears the other node over both."""
    page = (ROOT / "docs/cluster.md").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^mailnode cluster config (.*)$", page, re.MULTILINE)
    status, said = run(*line.replace("/root/cluster", str(tmp_path)).split())
    assert status == 0, said
    ha = (tmp_path / "heartbeat/ha.cf").read_text()
    assert re.findall(r"^ucast (\S+) (\S+)$", ha, re.M) == [
        ("eth1", "10.0.0.1"),
        ("eth1", "10.0.0.2"),
    ]
    assert re.findall(r"^bcast (\S+)$", ha, re.M) == ["eth0"]


def test_the_page_puts_each_file_where_it_belongs() -> None:
    page = (ROOT / "docs/cluster.md").read_text()
    put = re.findall(r"^put (\d+) (\S+) (\S+)( mailnode)?$", page, re.MULTILINE)
    for node in ("n1", "n2"):
        belongs = {file.name: file for file in render(plan()) if file.node in ("", node)}
        for mode, source, place, group in put:
            file = belongs[source.replace("$me", node)]
            # The account reads its settings by its group.
            assert (place, int(mode, 8)) == (file.place, 0o640 if group else file.mode), source
    rooms = {source.partition("/")[0] for _, source, _, _ in put}
    assert {"mailnode", "fencing", "drbd", "ocfs2", "systemd", "mariadb", "ocf"} < rooms
    for room in ("heartbeat/", "fencing/", "ocf/"):
        all_of_it = {file.name for file in render(plan()) if file.name.startswith(room)}
        assert {source for _, source, _, _ in put if source.startswith(room)} == all_of_it


def test_every_program_of_ours_that_a_manager_is_told_of_is_written() -> None:
    for nodes in (PAIR, THREE):
        files = render(plan(nodes))
        places = {file.place for file in files}
        for file in files:
            if file.name in {
                "pacemaker/cib.xml",
                "pacemaker/mailnode.crm",
                "pacemaker/mailnode.pcs.sh",
            }:
                told = set(re.findall(r"/etc/mailnode/[\w.-]+", file.text))
                assert "/etc/mailnode/fence-password" in told <= places, file.name
        (script,) = (file for file in files if file.name == "fencing/fence-password")
        assert script.mode == 0o700


# -- judged by the programs --------------------------------------------------------------------


def both(pair: Path, three: Path) -> tuple[Path, ...]:
    return pair, three


def test_mailnode_reads_its_settings(pair: Path, three: Path) -> None:
    for folder, count in ((pair, 2), (three, 3)):
        for path in sorted((folder / "mailnode").iterdir()):
            settings = load_settings(path)
            assert settings.server.node == path.stem
            assert len(settings.cluster.nodes) == count
            assert settings.cluster.shared


def test_scripts_are_shell(pair: Path) -> None:
    scripts = [p for p in pair.rglob("*") if p.is_file() and p.read_text().startswith("#!/bin/sh")]
    assert len(scripts) >= 9
    for path in scripts:
        checked(["sh", "-n", str(path)])
        assert os.access(path, os.X_OK), path


def test_drbd(pair: Path, tmp_path: Path) -> None:
    # The kernel's module is 8.4; drbdadm hands over to this one where it is loaded.
    drbdadm = "/usr/lib/drbd/drbdadm-84"
    need_program(drbdadm)
    whole = tmp_path / "drbd.conf"
    parts = [(pair / "drbd" / name).read_text() for name in ("global_common.conf", "mail.res")]
    whole.write_text("".join(parts))
    said = checked([drbdadm, "-c", str(whole), "dump", "all"])
    for wanted in (
        r"fencing\s+resource-and-stonith",
        r"fence-peer\s+/etc/mailnode/fence-peer",
        r"allow-two-primaries\s+yes",
        r"protocol\s+C",
    ):
        assert re.search(wanted, said), wanted


def test_ocfs2_is_more_patient_than_drbd(pair: Path, three: Path) -> None:
    need_program("o2cb")
    for folder, names in ((pair, ("n1", "n2")), (three, ("n1", "n2", "n3"))):
        conf = f"--config-file={folder / 'ocfs2/cluster.conf'}"
        assert checked(["o2cb", conf, "list-clusters"]).split() == ["mailnode"]
        said = checked(["o2cb", conf, "list-nodes", "mailnode"])
        assert tuple(re.findall(r"\tname = (\S+)", said)) == names
    options = dict(re.findall(r"^(O2CB_\w+)=(\w+)", (pair / "ocfs2/o2cb").read_text(), re.M))
    drbd = dict(re.findall(r"(ping-int|ping-timeout) (\d+);", (pair / "drbd/mail.res").read_text()))
    drbd_dead_s = int(drbd["ping-int"]) + int(drbd["ping-timeout"]) / 10
    assert (int(options["O2CB_HEARTBEAT_THRESHOLD"]) - 1) * 2 >= 2.5 * drbd_dead_s


def test_haproxy(pair: Path, three: Path) -> None:
    need_program("haproxy")
    for folder in both(pair, three):
        assert "valid" in checked(["haproxy", "-c", "-f", str(folder / "haproxy/haproxy.cfg")])


def test_keepalived(pair: Path, three: Path) -> None:
    need_program("keepalived")
    for folder in both(pair, three):
        for path in (folder / "keepalived").iterdir():
            checked(["keepalived", "-t", "-f", str(path)])


def test_bind(pair: Path, three: Path) -> None:
    need_program("named-checkzone")
    for folder, count in ((pair, 2), (three, 3)):
        said = checked(["named-checkzone", "-D", "example.org", str(folder / "bind/zone")])
        assert len(re.findall(r"^mail\.example\.org\.\s.*\sA\s", said, re.M)) == count
        assert len(re.findall(r"^mail\.example\.org\.\s.*\sAAAA\s", said, re.M)) == count
        assert len(re.findall(r"\sMX\s+10 mx\d\.example\.org\.", said)) == count


def test_mariadb(pair: Path, three: Path) -> None:
    need_program("mariadbd")
    for folder in both(pair, three):
        for path in (folder / "mariadb").glob("*.cnf"):
            done = subprocess.run(
                ["mariadbd", f"--defaults-file={path}", "--verbose", "--help"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (path, done.stderr)
            assert "[ERROR]" not in done.stderr


def test_corosync(pair: Path, three: Path, tmp_path: Path) -> None:
    need_program("corosync", "unshare")
    if os.geteuid() != 0:
        pytest.skip("to be named n1 for corosync needs root")
    key = tmp_path / "authkey"
    key.write_bytes(os.urandom(256))
    for number, folder in enumerate(both(pair, three)):
        text = (folder / "pacemaker/corosync.conf").read_text()
        conf = tmp_path / f"corosync{number}.conf"
        conf.write_text(text.replace("totem {", f"totem {{\n  keyfile: {key}"))
        checked(["unshare", "-u", "sh", "-c", f"hostname n1 && corosync -t -c {conf}"])


@pytest.mark.parametrize("dead", ["", "n1", "n2"])
def test_pacemaker_places_the_addresses(pair: Path, tmp_path: Path, dead: str) -> None:
    need_program("crm_verify", "crm_simulate")
    cib = tmp_path / "cib.xml"
    shutil.copy(pair / "pacemaker/cib.xml", cib)
    said = checked(["crm_verify", "-V", "-x", str(cib)], fails=True)
    # It warns that nodes nobody has seen yet are to be fenced.
    assert "error" not in said.lower(), said
    checked(["crm_simulate", "-x", str(cib), "-u", "n1", "-u", "n2", "-S", "-O", str(cib)])
    if dead:
        checked(["crm_simulate", "-x", str(cib), "-f", dead, "-S", "-O", str(cib)])
    said = checked(["crm_simulate", "-x", str(cib)])
    homes = dict(re.findall(r"(mail-\d)\s.*Started (\w+)", said))
    other = {"n1": "n2", "n2": "n1"}
    expected = {"mail-1": "n1", "mail-2": "n2"}
    assert homes == {r: other[home] if home == dead else home for r, home in expected.items()}


def test_crm_and_pcs_say_what_the_cib_says(pair: Path) -> None:
    cib = ET.fromstring((pair / "pacemaker/cib.xml").read_text())  # our own file
    for name in ("mailnode.crm", "mailnode.pcs.sh"):
        text = (pair / "pacemaker" / name).read_text()
        for pair_ in cib.iter("nvpair"):
            assert f"{pair_.get('name')}={pair_.get('value')}" in text, (name, pair_.attrib)
        for primitive in cib.iter("primitive"):
            assert f" {primitive.get('id')} " in text


def test_systemd(pair: Path, tmp_path: Path) -> None:
    need_program("systemd-analyze")
    for unit in ("o2cb", "ocfs2", "drbd", "mailnode"):
        (tmp_path / f"{unit}.service").write_text("[Service]\nExecStart=/bin/true\n")
    shutil.copytree(pair / "systemd/mailnode.service.d", tmp_path / "mailnode.service.d")
    shutil.copy(pair / "systemd/mail.mount", tmp_path / "srv-mailnode.mount")
    for path in pair.glob("two-sites/*.[st]*"):
        if path.suffix in {".service", ".timer"}:
            text = path.read_text().replace("/etc/mailnode/copy-to-other-site", "/bin/true")
            (tmp_path / path.name).write_text(text.replace("User=mailnode", "User=root"))
    names = ["srv-mailnode.mount", "mailnode.service", "mailnode-copy.timer"]
    said = checked(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names)],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system"},
    )
    assert str(tmp_path) not in said, said


# -- the scripts do what they say --------------------------------------------------------------


@pytest.fixture
def answering(tmp_path: Path) -> Callable[[str, str], str]:
    """A stand-in command that keeps its words in ``<name>.asked``."""

    def make(name: str, body: str) -> str:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "$*" >> {path}.asked\n{body}\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize(("fence", "status"), [("exit 0", 7), ("exit 1", 1)])
def test_drbd_hears_the_truth_about_its_peer(
    pair: Path, tmp_path: Path, answering: Callable[[str, str], str], fence: str, status: int
) -> None:
    if os.geteuid() != 0:
        pytest.skip("to be named n2 needs root")
    command = answering("fence", fence)
    more = {"MAILNODE_FENCE": command, "MAILNODE_FENCE_PAUSE": "0"}
    done = subprocess.run(
        ["unshare", "-u", "sh", "-c", f"hostname n2 && exec {pair / 'drbd/fence-peer'}"],
        env=os.environ | more,
        check=False,
    )
    assert done.returncode == status
    assert (tmp_path / "fence.asked").read_text() == "n1\n"


def test_a_machine_is_off_only_when_its_board_says_so(
    pair: Path, tmp_path: Path, answering: Callable[[str, str], str]
) -> None:
    fence = str(pair / "fencing/fence")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    answering("logger", "")
    answering("sleep", "")  # no waiting between the looks
    answering("ipmitool", 'case "$*" in *status) echo "Chassis Power is on" ;; esac')
    assert subprocess.run([fence, "n1"], env=environment, check=False).returncode == 1
    answering("ipmitool", 'case "$*" in *status) echo "Chassis Power is off" ;; esac')
    assert subprocess.run([fence, "n1"], env=environment, check=False).returncode == 0
    assert subprocess.run([fence, "n9"], env=environment, check=False).returncode == 2


@pytest.mark.parametrize(
    ("board", "minutes", "status"),
    [("", 0, 0), ("", 20, 1), ("Chassis Power is on", 0, 1)],
    ids=["silent board", "a word of old", "the board knows better"],
)
def test_a_person_may_say_that_a_machine_is_off_when_its_board_is_dead(
    pair: Path,
    tmp_path: Path,
    answering: Callable[[str, str], str],
    board: str,
    minutes: int,
    status: int,
) -> None:
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["MAILNODE_FENCE_WORDS"] = str(tmp_path)
    for name, body in (("logger", ""), ("sleep", ""), ("ipmitool", f"echo '{board}'; exit 1")):
        answering(name, body)

    def fence(*words: str) -> int:
        command = [str(pair / "fencing/fence"), *words]
        return subprocess.run(command, env=environment, check=False).returncode

    assert fence("n1") == 1
    assert fence("n9", "--is-off") == 2
    assert fence("n1", "--is-off") == 0
    said = time.time() - 60 * minutes
    os.utime(tmp_path / "mailnode-is-off-n1", (said, said))
    assert fence("n1") == status
    assert fence("n2") == 1


@pytest.mark.parametrize(
    ("me", "gateway", "pauses"),
    [("n1", True, []), ("n2", True, ["1.5"]), ("n1", False, ["3"]), ("n2", False, ["3", "3"])],
)
def test_of_two_that_cannot_hear_each_other_one_shoots_first(
    pair: Path,
    tmp_path: Path,
    answering: Callable[[str, str], str],
    me: str,
    gateway: bool,
    pauses: list[str],
) -> None:
    if os.geteuid() != 0:
        pytest.skip("to be named n2 needs root")
    fence = answering("fence", "exit 0")
    answering("ip", "echo default via 192.0.2.254 dev eth0")
    answering("ping", f"exit {0 if gateway else 1}")
    answering("sleep", "")
    # What the boards take, as an operator measured it.
    shipped = (pair / "heartbeat/mailnode-ha").read_text()
    assert "\nMAILNODE_FENCE_BEHIND=1\n" in shipped
    defaults = tmp_path / "mailnode-ha"
    defaults.write_text(shipped.replace("BEHIND=1", "BEHIND=1.5"))
    plugin = pair / "fencing/stonith-mailnode"
    told = checked(
        ["unshare", "-u", "sh", "-c", f"hostname {me} && exec {plugin} reset other"],
        env=os.environ
        | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "MAILNODE_FENCE": fence,
            "MAILNODE_HA_DEFAULTS": str(defaults),
            "hostlist": "n1 n2",
        },
    )
    # cluster-glue would sleep a second more after the end of a line.
    assert told == "status 0"
    asked = tmp_path / "sleep.asked"
    assert (asked.read_text().splitlines() if asked.exists() else []) == pauses
    assert (tmp_path / "fence.asked").read_text() == "other\n"
    assert (tmp_path / "ping.asked").read_text().endswith("192.0.2.254\n")
