"""What every section of the settings file is: frozen, strict about unknown keys, self-describing.

Promises: each field carries a ``description``; the commented ``config/mailnode.toml`` and the
error texts are made from it, so that no setting is documented twice.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of one ``[section]`` of ``mailnode.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
