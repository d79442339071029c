"""What every section of the settings file is: frozen, strict about unknown keys, self-describing.

Promises: each field carries a ``description``; the commented ``config/mailnode.toml`` and the
error texts are made from it, so that no setting is documented twice.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, field_validator, model_validator


class Section(BaseModel):
    """Base of one ``[section]`` of ``mailnode.toml``."""

    # TOML knows inf and nan; a time without end would be waited for.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )
    # Keys of earlier versions that no longer mean anything: an upgrade must not stop at them.
    retired: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nul(cls, given: Any) -> Any:
        """No path and no name can hold one; found here, it is told by its key."""
        for one in given if isinstance(given, list) else (given,):
            if isinstance(one, str) and "\0" in one:
                raise ValueError("must not hold a NUL character")
        return given

    @model_validator(mode="before")
    @classmethod
    def _pass_over_retired(cls, given: Any) -> Any:
        if cls.retired and isinstance(given, dict):
            return {key: value for key, value in given.items() if key not in cls.retired}
        return given
