"""``mailnode cluster``: several nodes on one mail root."""

from __future__ import annotations

import typer

from mailnode.admin.cli import cluster_config, cluster_heartbeat, cluster_node, cluster_watch

app = typer.Typer(no_args_is_help=True, help="Several nodes, all active, on one mail root.")


@app.callback()
def group() -> None:
    """Several nodes, all active, on one mail root."""


app.command("config")(cluster_config.config)
app.command("status")(cluster_node.status)
app.command("monitor")(cluster_node.monitor)
app.command("drain")(cluster_node.drain)
app.command("undrain")(cluster_node.undrain)
app.command("takeover")(cluster_node.takeover)
app.command("hand-over")(cluster_heartbeat.hand_over)
app.command("watch")(cluster_watch.watch)
