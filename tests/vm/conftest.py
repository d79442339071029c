"""One lab for all tests here: it takes minutes to make, and each test leaves it whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import need_namespaces
from tests.vm.alone import Lone
from tests.vm.images import Images, images
from tests.vm.lab import Lab, laboratory
from tests.vm.machine import MEMORY_MIB, missing_program
from tests.vm.network import why_no_cards

_ROOM_MIB = 3 * MEMORY_MIB


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "vm: two virtual machines, minutes long; not beside others")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells how both machines are."""
    report = yield
    found = item.funcargs if isinstance(item, pytest.Function) else {}
    lab = found.get("lab", found.get("pair"))
    if report.failed and isinstance(lab, Lab):
        report.sections.append(("both machines", lab.picture()))
    if report.failed and isinstance(lone := found.get("served"), Lone):
        report.sections.append(("the machine", lone.picture()))
    return report


def _need_lab() -> None:
    """Skip, saying why, where two machines cannot be emulated."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("two machines need both processors: pytest tests/vm -n 0")
    need_namespaces()
    if name := missing_program():
        pytest.skip(f"{name} is not installed: see tests/vm/packages.txt")
    if why := why_no_cards():
        pytest.skip(f"no network cards can be made for the machines: {why}")
    for line in Path("/proc/meminfo").read_text().splitlines():
        word, _, amount = line.partition(":")
        if word == "MemAvailable" and int(amount.split()[0]) < _ROOM_MIB << 10:
            pytest.skip(f"two machines need {_ROOM_MIB} MiB of free memory")


@pytest.fixture(scope="session")
def ended_whole() -> Iterator[None]:
    """Whoever ends the run, as scripts/test after its limit, leaves no machine running."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def lab_images(ended_whole: None) -> Iterator[Images]:
    """What all machines start from."""
    _need_lab()
    with images() as found:
        yield found


@pytest.fixture(scope="session")
def lab(lab_images: Images) -> Iterator[Lab]:
    """Both machines with one file system, each with its mailnode; no service addresses yet."""
    with laboratory(lab_images) as found:
        try:
            found.bring_up()
        except Exception:
            print(found.picture())
            raise
        yield found


@pytest.fixture(scope="session")
def pair(lab: Lab) -> Lab:
    """The lab with Heartbeat and the service addresses, each at home. What mailnode does under
    Heartbeat is held by tests/cluster as well; here a Heartbeat that comes up on no try is a lab
    that cannot be had."""
    try:
        lab.raise_addresses()
    except AssertionError as error:
        print(lab.picture())
        pytest.skip(f"Heartbeat did not raise the addresses: {error}")
    return lab
