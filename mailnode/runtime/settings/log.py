"""The ``[log]`` section: where the mail log goes and how it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from mailnode.runtime.settings.section import Section


class LogSettings(Section):
    """The mail log: one line for each event."""

    destination: Literal["stderr", "journal", "file"] = Field(
        default="stderr",
        description='"stderr", "journal" (systemd, with fields) or "file".',
    )
    file: Path | None = Field(
        default=None,
        description='Path for destination "file"; opened again at SIGHUP (logrotate).',
        examples=["/var/log/mailnode/mail.log"],
    )
    format: Literal["logfmt", "json"] = Field(
        default="logfmt", description='"logfmt" (key=value) or "json".'
    )
    level: Literal["info", "warning", "error"] = Field(
        default="info", description='Least weight of what is written: "info", "warning", "error".'
    )

    @model_validator(mode="after")
    def _file_named(self) -> LogSettings:
        if self.destination == "file" and self.file is None:
            raise ValueError('destination "file" needs a path: file = "/var/log/mailnode/mail.log"')
        return self
