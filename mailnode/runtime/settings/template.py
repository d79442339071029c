"""Writes the commented ``mailnode.toml`` from the sections themselves.

Promises: every key with its description and default; each line uncommented is valid.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mailnode.runtime.settings.load import Settings
from mailnode.runtime.settings.values import toml_value

_HEAD = """\
mailnode.toml: every setting with its default. Take away the "#" before a key to change it,
then `mailnode config check` and `systemctl reload mailnode`.
Made by `python -m mailnode.runtime.settings.template`; do not edit the copy in the repository."""


def template() -> str:
    """The whole file."""
    lines = [*_comment(_HEAD)]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += ["", *_section(name, section)]
    return "\n".join(lines) + "\n"


def _section(name: str, section: type[BaseModel]) -> Iterator[str]:
    yield f"[{name}]"
    yield from _comment(" ".join((section.__doc__ or "").replace("``", '"').split()))
    for key, field in section.model_fields.items():
        yield ""
        yield from _comment(field.description or "")
        shown = _shown(field)
        yield f"# ({key} is not set)" if shown is None else f"# {key} = {toml_value(shown)}"


def _shown(field: FieldInfo) -> object:
    """The default, or the declared example where the default is "not set"."""
    default = field.get_default(call_default_factory=True)
    return field.examples[0] if default is None and field.examples else default


def _comment(text: str) -> Iterator[str]:
    for paragraph in text.split("\n"):
        for line in textwrap.wrap(paragraph, 92, break_long_words=False, break_on_hyphens=False):
            yield f"# {line}"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("config/mailnode.toml")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(template(), encoding="utf-8")
