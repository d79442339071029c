"""A virtual machine: QEMU without any help of the processor's (TCG), so that it runs everywhere."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.namespaces import checked
from tests.vm.console import Console, GuestGone, Port
from tests.vm.images import Images
from tests.vm.network import CLIENTS, STORAGE, tap
from tests.vm.plan import Spot

MEMORY_MIB = 768
DISK_MIB = 384
BOOT_S = 240.0
_KERNEL_WORDS = (
    "console=ttyS0 quiet panic=-1 reboot=t mitigations=off audit=0 selinux=0 apparmor=0 "
    "net.ifnames=0 no_timer_check tsc=reliable systemd.show_status=0 systemd.unit=lab.target"
)


class Machine:
    """One node's machine. Its disks outlive it: ``start`` after ``power_off`` is a machine that
    was switched on again. ``ask_board`` is told what the guest asks of a board and answers."""

    def __init__(
        self, spot: Spot, images: Images, folder: Path, ask_board: Callable[[str], str]
    ) -> None:
        self.spot, self.name = spot, spot.name
        self._images, self._ask_board = images, ask_board
        self._folder = folder / spot.name
        self._folder.mkdir()
        self.screen = self._folder / "console"
        self._process: subprocess.Popen[bytes] | None = None
        root = self._folder / "root.raw"
        checked(["cp", "--reflink=auto", "--sparse=always", str(images.root), str(root)])
        with (self._folder / "mail.raw").open("wb") as disk:
            disk.truncate(DISK_MIB << 20)

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Switch it on; ``until_up`` waits."""
        assert not self.is_on
        agent, board = self._folder / "agent", self._folder / "board"
        for path in (agent, board):
            path.unlink(missing_ok=True)
        self.say = Console(self.name, agent, lambda: self.is_on)
        self._board = Port(board, lambda line: self._board.send(self._ask_board(line)))
        with self.screen.open("ab") as screen:
            self._process = subprocess.Popen(
                self._command(agent, board),
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                # A session of its own: the kernel shares processors out by sessions.
                start_new_session=True,
            )
        self.say.connect()
        self._board.connect(lambda: self.is_on)

    def until_up(self) -> None:
        """Wait until it takes commands. Raises ``GuestGone`` with what it wrote last."""
        deadline = time.monotonic() + BOOT_S
        while not self.say.ready.wait(0.5):
            if not self.is_on or time.monotonic() > deadline:
                raise GuestGone(f"{self.name} did not come up:\n{self.last_words()}")
        self.say(f"date -s @{time.time():.3f}")

    def power_off(self) -> None:
        """Pull the plug: nothing that runs in it hears of it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self.say.close()
            self._board.close()

    def last_words(self) -> str:
        """The end of what the guest wrote to its screen."""
        text = self.screen.read_text(errors="replace") if self.screen.exists() else ""
        return "\n".join(text.splitlines()[-40:])

    def _command(self, agent: Path, board: Path) -> list[str]:
        # With its parent dies the machine. Before others, for a node that gets no processor for
        # seconds is taken for dead. No cache that a kill could empty: what the guest wrote is
        # in the host's memory, as a disk with a battery would have it.
        words = ["nice", "-n", "-10", "setpriv", "--pdeathsig", "KILL"]
        words += ["qemu-system-x86_64", "-name", self.name]
        words += ["-M", "q35", "-accel", "tcg", "-cpu", "Nehalem", "-smp", "1"]
        words += ["-m", str(MEMORY_MIB), "-nodefaults", "-no-user-config", "-display", "none"]
        words += ["-no-reboot", "-device", "virtio-rng-pci", "-serial", "chardev:screen"]
        words += ["-chardev", f"file,id=screen,path={self.screen},append=on"]
        words += ["-kernel", str(self._images.kernel), "-initrd", str(self._images.initrd)]
        words += ["-append", f"{_KERNEL_WORDS} lab.name={self.name}"]
        for serial, path, options in self._disks():
            words += ["-drive", f"id={serial},file={path},format=raw,if=none{options}"]
            words += ["-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        words += ["-device", "virtio-serial-pci"]
        for port, path in (("agent", agent), ("board", board)):
            words += ["-chardev", f"socket,id={port},path={path},server=on,wait=off"]
            words += ["-device", f"virtserialport,chardev={port},name=mailnode.{port}"]
        for number, link in enumerate((CLIENTS, STORAGE)):
            card = f"52:54:00:91:{number:02x}:{self.spot.number:02x}"
            words += ["-netdev", f"tap,id={link},ifname={tap(link, self.spot)},script=no"]
            words[-1] += ",downscript=no"
            words += ["-device", f"virtio-net-pci,netdev={link},mac={card}"]
        return words

    def _disks(self) -> list[tuple[str, Path, str]]:
        return [
            ("root", self._folder / "root.raw", ",cache=unsafe"),
            ("mail", self._folder / "mail.raw", ",cache=unsafe"),
            ("product", self._images.product, ",readonly=on"),
        ]


def missing_program() -> str:
    """A program the machines need and this host has not, or nothing."""
    for name in ("qemu-system-x86_64", "setpriv", "mke2fs", "mmdebstrap", "cpio", "busybox"):
        if shutil.which(name) is None:
            return name
    return ""
