"""Options of the command line: what is wrong is told on one line, exit status 2."""

from __future__ import annotations

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Does not print how it is used when it was used wrongly; ``--help`` does."""

    def error(self, message: str) -> NoReturn:
        """End with one line."""
        self.exit(2, f"{self.prog}: {message}\n")
