"""``mailnode doctor``: what is wrong on this machine, and what to do."""

from __future__ import annotations

from dataclasses import asdict

import typer

from mailnode.admin.cli.frame import AsJson, Config, print_rows, read_settings


def doctor(config: Config, as_json: AsJson = False) -> None:
    """Look at storage, database, certificate and ports; exit status 1 when something is wrong."""
    from mailnode.admin.doctor import examine

    checks = list(examine(read_settings(config)))
    print_rows(map(asdict, checks), ("what", "well", "found", "remedy"), as_json=as_json)
    raise typer.Exit(0 if all(check.well for check in checks) else 1)
