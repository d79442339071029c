"""``mailnode doctor``: what is wrong on this machine, and what to do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, Config, print_rows, read_settings


def doctor(
    config: Config,
    as_json: AsJson = False,
    storage: Annotated[
        Path | None,
        typer.Option(
            help="Try the file locks of this folder instead. Run it on all nodes at once: each "
            "tells whether the others were kept apart."
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="With --storage: wait so long for other nodes.")
    ] = 15.0,
) -> None:
    """Look at storage, database, certificate and ports; exit status 1 when something is wrong."""
    from mailnode.admin.doctor import examine
    from mailnode.admin.storage_doctor import examine_locks

    if storage:
        checks = list(examine_locks(storage, seconds))
    else:
        checks = list(examine(read_settings(config), config))
    print_rows(map(asdict, checks), ("what", "well", "found", "remedy"), as_json=as_json)
    raise typer.Exit(0 if all(check.well for check in checks) else 1)
