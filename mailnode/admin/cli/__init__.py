"""The ``mailnode`` command. ``main`` is its entry point."""

from mailnode.admin.cli.app import main

__all__ = ["main"]
