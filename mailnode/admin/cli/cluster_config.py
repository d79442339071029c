"""``mailnode cluster config``: every file a cluster needs, for given names and addresses."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from mailnode.admin.cli.frame import AsJson, CliError, print_json


def config(
    nodes: Annotated[
        list[str],
        typer.Option(
            "--node",
            metavar="NAME=ADDRESS/SERVICE[/SERVICE6]",
            help="A node: its name (uname -n), its own address on the link between the nodes, and "
            "the address (IPv4, and IPv6 if wanted) for clients that has its home there. Once for "
            "each node.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    domain: Annotated[str, typer.Option(help="The domain mail is for.")] = "example.org",
    nic: Annotated[str, typer.Option(help="Interface of the service addresses.")] = "eth0",
    link_nic: Annotated[
        str, typer.Option(help="Interface of the nodes' own addresses, if it is another one.")
    ] = "",
    prefix: Annotated[int, typer.Option(min=1, max=32, help="Prefix length of SERVICE.")] = 24,
    prefix6: Annotated[int, typer.Option(min=1, max=128, help="Prefix length of SERVICE6.")] = 64,
    disk: Annotated[str, typer.Option(help="Disk below DRBD.")] = "/dev/vg0/mail",
    mount: Annotated[Path, typer.Option(help="Where the shared file system is mounted.")] = Path(
        "/srv/mailnode"
    ),
    program: Annotated[
        str, typer.Option(help="The mailnode command on the nodes.")
    ] = "/usr/local/bin/mailnode",
    deadtime: Annotated[
        float, typer.Option(help="Seconds after which a silent node is taken for dead.")
    ] = 1.5,
    failback: Annotated[
        bool, typer.Option("--auto-failback", help="Addresses go home by themselves.")
    ] = False,
    secret: Annotated[
        str, typer.Option(help="Secret between the nodes; made at random when not given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Write DRBD, OCFS2, Heartbeat, Pacemaker, HAProxy, VRRP, DNS, MariaDB and own files."""
    from mailnode.admin.cluster_plan import Plan, parse_node
    from mailnode.admin.cluster_writer import write

    try:
        plan = Plan(
            nodes=tuple(map(parse_node, nodes)),
            domain=domain.lower().rstrip("."),
            secret=secret or secrets.token_hex(16),
            length=prefix,
            length6=prefix6,
            nic=nic,
            link_nic=link_nic,
            mount=mount,
            disk=disk,
            program=program,
            deadtime_s=deadtime,
            auto_failback=failback,
        )
        files = write(plan, out)
    except ValueError as error:
        raise CliError(str(error)) from None
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from None
    if as_json:
        print_json([{"file": f.name, "place": f.place, "node": f.node} for f in files])
        return
    typer.echo(f"{len(files)} files in {out}; {out / 'README.md'} says where each belongs")
    if not plan.is_pair:
        typer.echo("no DRBD and no haresources: they know two nodes only; share storage otherwise")
