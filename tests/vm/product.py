"""mailnode as it is installed on the two nodes, and all their settings, on one read-only disk.

The program is installed from this repository into a virtual environment for Debian's Python. The
cluster's files are those that ``mailnode cluster config`` writes for the lab's names; what the lab
needs to be different is in ``_changed``, and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from mailnode.admin.instance import settings_text
from mailnode.admin.setup import fill_directory
from tests.support.namespaces import checked
from tests.vm.commands import long_checked
from tests.vm.plan import (
    ACCOUNT_ID,
    ALONE,
    CLIENTS_HOST,
    DEADTIME_S,
    DISK,
    DOMAIN,
    MOUNT,
    PASSWORD,
    SPOTS,
    USERS,
    Spot,
)

REPOSITORY = Path(__file__).parents[2]
LOCK = REPOSITORY / "requirements.lock"
_SOURCES = ("mailnode", "systemd", "config", "pyproject.toml", "README.md")
_SITE = "lib/python3.11/site-packages"
_INSTALL_S = 600.0
# The part of the cluster's files that this lab is made of.
_USED = ("drbd/", "ocfs2/", "heartbeat/", "ocf/", "fencing/", "systemd/", "mailnode/")
_DIRECTORY_URL = "sqlite:////var/lib/mailnode/directory.db"
# As far as the shipped fence script speaks ipmitool's language.
_IPMITOOL = """\
#!/bin/bash
# Asks the board of a node through the port that stands for it in this lab.
while [ $# -gt 1 ]; do [ "$1" != -H ] || board=$2; shift; done
exec 9>/run/ipmitool.lock
flock 9
exec 3<>/dev/virtio-ports/mailnode.board
echo "$1 $board" >&3
read -r -t 20 answer <&3 && echo "Chassis Power $answer"
"""


def install_dependencies(folder: Path) -> None:
    """What the lock file names, for Debian 12's Python, whatever Python this is."""
    folder.mkdir()
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
    wheels = [f"--platform={one}" for one in platforms]
    _pip(
        "--only-binary=:all:", "--python-version=3.11", "--implementation=cp", *wheels,
        "--require-hashes", "-r", str(LOCK), "--target", str(folder),
    )  # fmt: skip


def make_disk(disk: Path, dependencies: Path) -> None:
    """Make ``disk``: a virtual environment and, for each node, the files to lay over its root."""
    with tempfile.TemporaryDirectory(prefix="mailnode-product") as name:
        tree = Path(name) / "tree"
        _environment(tree, dependencies)
        _nodes(tree / "node", Path(name))
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
        command = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(tree)]
        checked([*command, str(disk), f"{(size >> 20) * 13 // 10 + 60}M"])


def _pip(*words: str) -> None:
    long_checked([sys.executable, "-m", "pip", "-q", "install", *words], _INSTALL_S)


def _environment(tree: Path, dependencies: Path) -> None:
    """The same folders that ``python3 -m venv /opt/mailnode`` makes."""
    site = tree / _SITE
    shutil.copytree(dependencies, site)
    with tempfile.TemporaryDirectory(prefix="mailnode-source") as name:
        source = Path(name)
        for one in _SOURCES:
            path = REPOSITORY / one
            if path.is_dir():
                shutil.copytree(path, source / one, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, source)
        _pip("--no-deps", "--target", str(site), str(source))
    (site / "share").rename(tree / "share")  # where pip puts it without --target
    (tree / "bin").mkdir()
    (tree / "bin/python3").symlink_to("/usr/bin/python3")
    (tree / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    command = tree / "bin/mailnode"
    command.write_text(
        "#!/opt/mailnode/bin/python3\nimport sys\n\nfrom mailnode.admin.cli import main\n\n"
        "sys.exit(main())\n"
    )
    command.chmod(0o755)


def _nodes(trees: Path, scratch: Path) -> None:
    written = scratch / "cluster"
    files = _cluster_files(written)
    directory = _directory(scratch)
    certificate = _certificate(scratch)
    for spot in SPOTS:
        root = trees / spot.name
        for file in files:
            if file["node"] in ("", spot.name) and file["file"].startswith(_USED):
                _install(written / file["file"], root, file["place"])
        shutil.copy2(written / "ocfs2/mkfs.sh", root / "etc/ocfs2/")
        _own_files(root, spot)
        for path in certificate:
            _install(path, root, f"/etc/mailnode/tls/{path.name}")
        _install(directory, root, "/var/lib/mailnode/directory.db")
        _give_to_mailnode(root)
    # All else is done by the commands that a README tells its reader.
    _network_files(trees / ALONE.name, ALONE, f"{ALONE.own} mail.{DOMAIN}\n")


def _cluster_files(folder: Path) -> list[dict[str, str]]:
    words = ["cluster", "config", "--out", str(folder), "--domain", DOMAIN, "--json"]
    for spot in SPOTS:
        words += ["--node", f"{spot.name}={spot.storage}/{spot.service}/{spot.service6}"]
    words += ["--link-nic", "eth1", "--disk", DISK, "--mount", MOUNT]
    words += ["--deadtime", str(DEADTIME_S)]
    said = checked([sys.executable, "-m", "mailnode", *words], cwd=REPOSITORY)
    found: list[dict[str, str]] = json.loads(said)
    for file in found:
        if file["file"].startswith(_USED):
            path = folder / file["file"]
            path.write_text(_changed(file["file"], path.read_text()))
    return found


def _changed(name: str, text: str) -> str:
    """What this lab cannot have as it is."""
    if name == "heartbeat/ha.cf":
        # An emulated processor takes seconds for what a real one does in tenths.
        text = _replaced(text, "cluster watch", "cluster watch --deep 30 --within 30")
        return _replaced(text, "#stonith_host", "stonith_host")
    if name == "heartbeat/mailnode-ha":
        return text + "OCF_RESKEY_ask=60\n"
    if name.startswith("mailnode/"):
        start = text.index("urls = ")
        line = text[start : text.index("\n", start)]
        return _replaced(text, line, f"urls = {json.dumps([_DIRECTORY_URL])}")
    return text


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _network_files(root: Path, spot: Spot, hosts: str) -> None:
    addresses = {
        "CLIENTS": f"{spot.own}/24",
        "CLIENTS6": f"{spot.own6}/64",
        "GATEWAY": CLIENTS_HOST,
        "STORAGE": f"{spot.storage}/24",
    }
    lines = "".join(f"{key}={value}\n" for key, value in addresses.items())
    (root / "etc").mkdir(parents=True, exist_ok=True)
    (root / "etc/lab-addresses").write_text(lines)
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n{hosts}")


def _own_files(root: Path, spot: Spot) -> None:
    _network_files(root, spot, "".join(f"{one.storage} {one.name}\n" for one in SPOTS))
    (root / "etc/mailnode/cluster.secret").write_text("a secret of the lab's two nodes\n")
    _install(REPOSITORY / "systemd/mailnode.service", root, "/etc/systemd/system/mailnode.service")
    (root / "usr/bin").mkdir()
    (root / "usr/bin/ipmitool").write_text(_IPMITOOL)
    (root / "usr/bin/ipmitool").chmod(0o755)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/mailnode").symlink_to("/opt/mailnode/bin/mailnode")


def _directory(scratch: Path) -> Path:
    """A database of users, the same on both nodes."""
    path, config = scratch / "directory.db", scratch / "directory.toml"
    sections = {"directory": {"urls": [f"sqlite:///{path}"]}}
    config.write_text(settings_text(sections, ["for the lab's users"]))
    users = [f"{user}@{DOMAIN}" for user in USERS]
    asyncio.run(fill_directory(config, DOMAIN, users, PASSWORD))
    return path


def _certificate(scratch: Path) -> tuple[Path, Path]:
    chain, key = scratch / "fullchain.pem", scratch / "privkey.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", f"/CN=mail.{DOMAIN}"]
    checked([*command, "-keyout", str(key), "-out", str(chain)])
    return chain, key


def _install(path: Path, root: Path, place: str) -> None:
    target = root / place.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _give_to_mailnode(root: Path) -> None:
    for place in ("etc/mailnode/mailnode.toml", "etc/mailnode/cluster.secret", "etc/mailnode/tls"):
        path = root / place
        for one in (path, *path.rglob("*")):
            os.chown(one, ACCOUNT_ID, ACCOUNT_ID)
    (root / "etc/mailnode/cluster.secret").chmod(0o600)
    for path in (root / "etc/mailnode/tls").iterdir():
        path.chmod(0o600)
    for name in ("fence", "fence-peer"):
        (root / "etc/mailnode" / name).chmod(0o700)
    state = root / "var/lib/mailnode"
    for one in (state, *state.iterdir()):
        os.chown(one, ACCOUNT_ID, ACCOUNT_ID)
