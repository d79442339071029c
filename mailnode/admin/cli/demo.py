"""``mailnode demo``: a whole instance in one folder, for people, scripts and outside test suites.

Promises: listens on loopback only; prints addresses and credentials once every worker serves;
ends on SIGTERM or Ctrl-C with nothing left running.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mailnode.admin.cli.frame import CliError
from mailnode.admin.instance import (
    DOMAIN,
    IMPLICIT,
    SERVICES,
    Instance,
    kept_password,
    settings_text,
    user_names,
    write_private,
)
from mailnode.admin.tour import Tour

# The usual ports plus an offset that needs no root, where they are free.
_PREFERRED = {
    "smtp": 2525,
    "submission": 2587,
    "submissions": 2465,
    "lmtp": 2424,
    "imap": 2143,
    "imaps": 2993,
    "pop3": 2110,
    "pop3s": 2995,
}
_MANY = 100_000
_DATABASE = "directory.db"


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for everything: settings, mail, database.")
    ] = Path("demo-data"),
    users: Annotated[int, typer.Option(min=1, max=_MANY, help="How many users to make.")] = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the facts as one line of JSON.")
    ] = False,
    database: Annotated[
        str,
        typer.Option(
            help="Database instead of the embedded SQLite, such as "
            "mysql://user:password@127.0.0.1/name (made ready if empty)."
        ),
    ] = "",
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port_base: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=60_000,
            help="Listen on this number plus 25, 587, 465, 24, 143, 993, 110, 995; "
            "0: free ports. Default: 2525 and so on where they are free.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="0: one for each core.")] = 0,
    tour: Annotated[
        bool, typer.Option("--tour", help="Send and read real messages, showing each step.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End after the tour; status 0 if every step held.")
    ] = False,
) -> None:
    """Start a whole mail server in one folder, on loopback, with users to play with."""
    folder = folder.resolve()
    if tour or once:
        raise typer.Exit(_guided(folder, users, database, once=once))
    ports = _ports(host, port_base)
    settings = _prepare(folder, users, database, host, ports, workers)
    raise typer.Exit(_serve(folder, settings, users, as_json=as_json, database=database))


def _ports(host: str, base: int | None) -> dict[str, int]:
    """A port for each service; 0 lets the system choose."""
    if base == 0:
        return dict.fromkeys(SERVICES, 0)
    if base is not None:
        standard = (25, 587, 465, 24, 143, 993, 110, 995)
        return {name: base + port for name, port in zip(SERVICES, standard, strict=True)}
    return {name: port if _is_free(host, port) else 0 for name, port in _PREFERRED.items()}


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _prepare(
    folder: Path, users: int, database: str, host: str, ports: Mapping[str, int], workers: int
) -> Path:
    """Settings file, mail root, domain and users; the path of the settings file."""
    from mailnode.admin.setup import fill_directory, make_mail_root

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        path = folder / "mailnode.toml"
        write_private(path, _settings(folder, database, host, ports, workers))
        if (own := folder / _DATABASE).exists():
            own.chmod(0o600)  # an earlier version's may be read by all
        make_mail_root(folder / "mail")
        password = kept_password(folder)
    except OSError as error:
        raise CliError(f"--dir {folder}: {error.strerror or error}") from None
    asyncio.run(fill_directory(path, DOMAIN, user_names(users), password))
    return path


def _settings(
    folder: Path, database: str, host: str, ports: Mapping[str, int], workers: int
) -> str:
    spot = f"[{host}]" if ":" in host else host
    many = 100_000
    return settings_text(
        {
            "server": {
                "hostname": "demo.example.test",
                "node": "demo",
                "workers": workers,
                "mail_dir": str(folder / "mail"),
                "state_dir": str(folder / "state"),
                "run_dir": str(folder / "run"),
                "spool_dir": str(folder / "spool"),
            },
            "listen": {name: [f"{spot}:{port}"] for name, port in ports.items()},
            "tls": {"self_signed": True},
            "log": {"destination": "file", "file": str(folder / "mail.log")},
            "directory": {"urls": [database or f"sqlite:///{folder}/{_DATABASE}"]},
            "smtp": {
                "auth_without_tls_on_loopback": True,
                "max_connections": many,
            },
            "imap": {
                "plaintext_login": True,
                "max_sessions": many,
                "max_sessions_per_ip": many,
                "max_sessions_per_user_ip": many,
            },
            "pop3": {"plaintext_login": True},
        },
        [
            "A demo instance, written anew at each start. It listens on loopback only, so",
            "passwords are taken without TLS too, and one address may open many sessions.",
        ],
    )


def _serve(folder: Path, settings: Path, users: int, *, as_json: bool, database: str) -> int:
    from mailnode.main import Ready, serve
    from mailnode.runtime.settings.load import load_settings

    def ready(found: Ready) -> None:
        instance = Instance(
            pid=found.pid,
            folder=str(folder),
            domain=DOMAIN,
            users=tuple(user_names(users)),
            password=kept_password(folder),
            certificate=str(folder / "state" / "tls" / "self-signed.pem"),
            database=_without_password(database) or f"sqlite:///{folder}/{_DATABASE}",
            services={
                name: (spots[0].host, spots[0].port) for name, spots in found.services.items()
            },
        )
        print(instance.to_json() if as_json else _sheet(instance), flush=True)

    return serve(load_settings(settings), ready, reload=lambda: load_settings(settings))


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, slashes, login = head.partition("://")
    return f"{scheme}{slashes}{login.partition(':')[0]}{at}{tail}" if at else url


def _sheet(instance: Instance) -> str:
    """What to type into a mail client."""
    table = Table(title="Settings for a mail client", title_justify="left")
    for heading in ("service", "server", "port", "security"):
        table.add_column(heading)
    for name, (host, port) in instance.services.items():
        security = "TLS" if name in IMPLICIT else "-" if name == "lmtp" else "STARTTLS"
        table.add_row(name, host, str(port), security)
    console = Console()
    with console.capture() as captured:
        console.print(table)
        console.print(f"user      {', '.join(instance.users[:3])}", highlight=False)
        console.print(f"password  {instance.password}", highlight=False, markup=False)
        console.print(f"mail      {instance.folder}/mail   log {instance.folder}/mail.log")
        console.print("Ctrl-C ends the server; the mail stays in the folder.")
    return captured.get()


def _guided(folder: Path, users: int, database: str, *, once: bool) -> int:
    """The server in a process of its own, the tour in this one."""
    command = [sys.executable, "-P", "-m", "mailnode", "demo", "--json", "--dir", str(folder)]
    command += ["--users", str(max(2, users))]
    if database:
        command += ["--database", database]
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(_end, server)
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            return server.wait() or 1
        instance = Instance.from_json(line.decode())
        held = _show(instance)
        if once or not held:
            return 0 if held else 1
        return _until_ended(server, _sheet(instance))


def _show(instance: Instance) -> bool:
    """Run the tour on the terminal; whether every step held."""
    console = Console(highlight=False)
    told = f"mailnode serves from {instance.folder} (pid {instance.pid})"
    console.print(told, markup=False, soft_wrap=True)
    try:
        for step in Tour(instance).steps():
            console.print(
                f"[green]ok[/] [bold]{step.protocol:5}[/] {escape(step.did)}: {escape(step.saw)}",
                soft_wrap=True,
            )
    except Exception as error:  # noqa: BLE001  barrier: the clients' own error classes differ
        console.print(f"[red]failed[/] {type(error).__name__}: {escape(str(error))}")
        return False
    stored = sum(1 for _ in Path(instance.folder, "mail").glob("**/[cn]*[rw]/*"))
    told = f"{stored} messages in Maildirs below {escape(instance.folder)}/mail"
    console.print(f"[green]ok[/] [bold]disk [/] {told}", soft_wrap=True)
    return True


def _until_ended(server: subprocess.Popen[bytes], sheet: str) -> int:
    """Say where it is and wait for it, or end it when we are told to end; its exit status."""
    try:
        print(sheet, flush=True)
        return server.wait()
    except KeyboardInterrupt:  # by SIGTERM, or by the terminal, which told the server as well
        _end(server)
        return server.returncode


def _interrupt(*_: object) -> None:
    """SIGTERM as if it were Ctrl-C: the server must not outlive us."""
    raise KeyboardInterrupt


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
        server.wait()
