"""What a report tells of the machine, without which its figures cannot be compared."""

from __future__ import annotations

import sysconfig

import pytest

from bench import machine


def test_facts() -> None:
    found = machine.facts()
    assert str(found["python build"]).startswith(f"{found['python']} (")
    assert "shared library; profile-guided: " in str(found["python build"])
    assert float(str(found["a million rounds of a Python loop, ms"])) > 0
    assert found["filesystem"]


@pytest.mark.parametrize(
    ("configured", "shared", "told"),
    [
        ({"CONFIG_ARGS": "'--enable-optimizations'"}, False, "yes"),
        ({"PY_CFLAGS_NODIST": "-O3 -fprofile-use", "Py_ENABLE_SHARED": 1}, True, "yes"),
        ({"CONFIG_ARGS": "'--enable-shared'", "Py_ENABLE_SHARED": 1}, True, "no"),
        (
            {"CONFIG_ARGS": "'--enable-shared'", "Py_ENABLE_SHARED": 1},
            False,
            "not told (the configuration beside it is another build's)",
        ),
    ],
)
def test_how_the_interpreter_was_built(
    configured: dict[str, object], shared: bool, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", configured.get)
    assert machine._guided(shared=shared) == f"profile-guided: {told}"
