"""``mailnode serve`` and ``mailnode config``: run the server, and look at its settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailnode.admin.cli.frame import AsJson, CliError, Config, print_json, read_settings
from mailnode.model.errors import BadSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mailnode.runtime.settings.load import Settings

config_app = typer.Typer(help="Settings: check the file, show what is in force, make an example.")


def serve(config: Config) -> None:
    """Run the server until SIGTERM or Ctrl-C; SIGHUP reads settings and certificate again."""
    from mailnode.main import serve as serve_settings
    from mailnode.runtime.settings.load import load_settings

    settings = read_settings(config)
    try:
        status = serve_settings(settings, reload=lambda: load_settings(config))
    except BadSettings as error:
        raise CliError(str(error)) from None
    raise typer.Exit(status)


@config_app.command("check")
def check(config: Config) -> None:
    """Look for errors in the settings file and in the certificate it names."""
    settings = read_settings(config)
    try:
        warnings = _look_at_files(settings)
    except BadSettings as error:
        raise CliError(str(error)) from None
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{config}: no errors")


def _look_at_files(settings: Settings) -> tuple[str, ...]:
    """Warnings. Raises ``BadSettings``. Writes nothing."""
    from mailnode.runtime.clock import SystemClock
    from mailnode.runtime.privileges import run_as
    from mailnode.runtime.tls import PemCertificates

    if os.geteuid() == 0:
        run_as(settings.server.user, settings.server.group)
    if settings.tls.self_signed:
        return ()
    certificates = PemCertificates(settings.tls.certificate, settings.tls.key, clock=SystemClock())
    return certificates.warnings


@config_app.command("show")
def show(
    config: Config,
    as_json: AsJson = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not default.")] = False,
) -> None:
    """Print the settings in force; passwords are masked."""
    from mailnode.runtime.settings.load import load_settings
    from mailnode.runtime.settings.values import toml_value

    settings, defaults = read_settings(config), load_settings()
    shown = {
        name: _values(getattr(settings, name), getattr(defaults, name) if changed else None)
        for name in type(settings).model_fields
    }
    if as_json:
        print_json({name: keys for name, keys in shown.items() if keys})
        return
    for name, keys in shown.items():
        if keys:
            typer.echo(f"[{name}]")
            for key, value in keys.items():
                typer.echo(f"{key} = {toml_value(value)}")
            typer.echo("")


def _values(section: BaseModel, default: BaseModel | None) -> dict[str, Any]:
    """Keys and values with secrets masked; unset ones and, if given, defaults left out."""
    from mailnode.runtime.settings.values import shown

    found = {key: getattr(section, key) for key in type(section).model_fields}
    return {
        key: shown(key, value)
        for key, value in found.items()
        if value is not None and (default is None or getattr(default, key) != value)
    }


@config_app.command("example")
def example() -> None:
    """Print a settings file with every key, its description and its default."""
    from mailnode.runtime.settings.template import template

    typer.echo(template(), nl=False)
