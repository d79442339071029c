"""``mailnode config`` and the errors of ``mailnode serve``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailnode.admin.cli.frame import CliError
from mailnode.admin.cli.serve import config_app, serve
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.settings.load import load_settings
from mailnode.runtime.settings.template import template

run = CliRunner().invoke


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mailnode.toml"
    path.write_text(
        '[server]\nworkers = 3\nnode = "n7"\n[tls]\nself_signed = true\n'
        '[directory]\nurls = ["mysql://root:hunter2@db/postfix"]\n'
    )
    return path


def test_example_is_the_template() -> None:
    assert run(config_app, ["example"]).output == template()


def test_check_of_a_good_file(config: Path) -> None:
    result = run(config_app, ["check", "-c", str(config)])
    assert (result.exit_code, result.output) == (0, f"{config}: no errors\n")


def test_check_names_every_error(config: Path) -> None:
    config.write_text('[server]\nworker = 3\nthreads = "x"\n')
    result = run(config_app, ["check", "-c", str(config)])
    assert isinstance(result.exception, CliError)
    assert len(str(result.exception).splitlines()) == 2


def test_check_looks_at_the_certificate(config: Path, tmp_path: Path) -> None:
    config.write_text(f'[tls]\ncertificate = "{tmp_path}/none.pem"\n')
    result = run(config_app, ["check", "-c", str(config)])
    assert isinstance(result.exception, CliError)
    assert "none.pem: no such file" in str(result.exception)


def test_check_warns_of_an_expired_certificate(config: Path, tmp_path: Path) -> None:
    class Past(SystemClock):
        def now(self) -> float:
            return super().now() - 1000 * 86400

    certificate, key = make_self_signed(tmp_path, ("a.test",), Past())
    config.write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    result = run(config_app, ["check", "-c", str(config)])
    assert result.exit_code == 0
    assert "warning: " in result.output
    assert "expired 176 days ago" in result.output


def test_show_is_a_settings_file_without_passwords(config: Path, tmp_path: Path) -> None:
    result = run(config_app, ["show", "-c", str(config)])
    assert "hunter2" not in result.output
    shown = tmp_path / "shown.toml"
    shown.write_text(result.output)
    again = load_settings(shown)
    assert again.directory.urls == ("mysql://root:***@db/postfix",)
    assert again.server == load_settings(config).server


def test_show_changed_and_json(config: Path) -> None:
    result = run(config_app, ["show", "-c", str(config), "--changed"])
    assert tomllib.loads(result.output) == {
        "server": {"workers": 3, "node": "n7"},
        "tls": {"self_signed": True},
        "directory": {"urls": ["mysql://root:***@db/postfix"]},
    }
    as_json = run(config_app, ["show", "-c", str(config), "--changed", "--json"])
    assert json.loads(as_json.output) == tomllib.loads(result.output)


def test_serve_with_wrong_settings_starts_nothing(config: Path) -> None:
    config.write_text('[listen]\nimap = ["nonsense"]\n')
    with pytest.raises(CliError, match=r"\[listen\] imap item 1"):
        serve(config)


def test_serve_without_a_certificate_starts_nothing(config: Path, tmp_path: Path) -> None:
    folders = "".join(
        f'{key} = "{tmp_path}/{key}"\n' for key in ("mail_dir", "state_dir", "run_dir", "spool_dir")
    )
    services = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
    listen = "".join(f'{name} = ["127.0.0.1:0"]\n' for name in services)
    config.write_text(
        f'[server]\n{folders}[listen]\n{listen}[tls]\ncertificate = "{tmp_path}/none.pem"\n'
    )
    with pytest.raises(CliError, match=r"none\.pem: no such file; set tls\.certificate"):
        serve(config)
