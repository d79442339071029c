"""The disks a guest starts from: made once for each set of inputs, kept outside the repository."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.vm import product
from tests.vm.commands import long_checked

REPOSITORY = Path(__file__).parents[2]
_GUEST = Path(__file__).with_name("guest")
_SCRIPT = REPOSITORY / "scripts/vm-image"
_BUILD_S = 900.0


@dataclass(frozen=True)
class Images:
    """``root`` is copied for each guest, the others are only read."""

    root: Path
    kernel: Path
    initrd: Path
    product: Path


def cache_folder() -> Path:
    """Where images are kept; safe to delete when no lab runs."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path("/var/cache")) / "mailnode-lab"


@contextmanager
def images() -> Iterator[Images]:
    """The images; those that change with every line of the product go with the context. First of
    all, for it fetches packages, and the machines' networks lead nowhere."""
    with tempfile.TemporaryDirectory(prefix="mailnode-images") as name:
        yield _make_images(Path(name))


def _make_images(folder: Path) -> Images:
    system = _once("system", [_SCRIPT, *sorted(_GUEST.iterdir())], _build_system)
    python = _once("python", [product.LOCK], product.install_dependencies)
    disk = folder / "product.raw"
    product.make_disk(disk, python)
    # Read again at each start of a machine: another run may have cleared the cache by then.
    kernel, initrd = (Path(shutil.copy(system / name, folder)) for name in ("vmlinuz", "initrd.gz"))
    return Images(system / "root.raw", kernel, initrd, disk)


def _build_system(folder: Path) -> None:
    long_checked([str(_SCRIPT), str(folder)], _BUILD_S)


def _once(kind: str, inputs: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """The folder ``build`` filled for these inputs, now or in an earlier run."""
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{kind}-{digest.hexdigest()[:16]}"
    with _locked(cache / f"{kind}.lock"):
        if not folder.exists():
            half_done = cache / f"{kind}.new"
            shutil.rmtree(half_done, ignore_errors=True)
            build(half_done)
            for old in cache.glob(f"{kind}-*"):
                shutil.rmtree(old)
            half_done.rename(folder)
    return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
