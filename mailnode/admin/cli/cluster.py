"""``mailnode cluster``: several nodes on one mail root."""

from __future__ import annotations

import typer

from mailnode.admin.cli import cluster_config

app = typer.Typer(no_args_is_help=True, help="Several nodes, all active, on one mail root.")


@app.callback()
def group() -> None:
    """Several nodes, all active, on one mail root."""


app.command("config")(cluster_config.config)
