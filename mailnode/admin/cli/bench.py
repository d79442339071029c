"""``mailnode bench``: load tests beside Postfix + Dovecot, from the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import typer

import mailnode
from mailnode.admin.cli.frame import CliError

# Everything behind the command's name is the load tests' own, --help included.
SETTINGS = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def source_tree() -> Path:
    """The folder that this program and its load tests lie in. Raises ``CliError``."""
    tree = Path(mailnode.__file__).resolve().parents[1]
    if not (tree / "bench" / "__main__.py").is_file():
        raise CliError(
            "the load tests are not part of the installed program: run python -m bench in a source"
            " tree of mailnode, with the packages of requirements.lock"
        )
    return tree


def bench(context: typer.Context) -> None:
    """Load tests beside Postfix + Dovecot, from the source tree: mailnode bench --help."""
    tree = source_tree()
    path = os.pathsep.join(filter(None, (str(tree), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "bench", *context.args]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})
    try:
        code = child.wait()
    except KeyboardInterrupt:
        # It was interrupted, too, and stops the servers that it has started.
        code = child.wait()
    raise typer.Exit(code)
