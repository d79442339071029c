"""Says what is wrong with settings, in words of the person who wrote the file.

Promises: each line names source, key, the value (secrets masked) and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from mailnode.runtime.settings.values import mask

# What pydantic calls the error, and what to do about it.
_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": 'must be text in quotes ("…")',
    "path_type": 'must be a path in quotes ("/…")',
    "tuple_type": "must be a list ([…])",
    "list_type": "must be a list ([…])",
    "dict_type": "must be a table",
    "model_type": "must be a section: write [name] on a line of its own, then its keys",
    "missing": "is required, add it",
}


def describe(error: ValidationError, model: type[BaseModel], source: str) -> Iterator[str]:
    """One line for each error, in the order of the file's keys."""
    for one in error.errors(include_url=False):
        path = [str(part) for part in one["loc"]]
        where, owner = _where(path), _owner(model, path)
        if one["type"] == "extra_forbidden":
            yield f"{source}: {where}: {_unknown(path, owner)}"
            continue
        value = "" if one["type"] == "missing" else _given(path, one["input"])
        yield f"{source}: {where}{value}: {_problem(one)}{_example(owner, path)}"


def _where(path: list[str]) -> str:
    if not path:
        return "settings"
    keys = [f"item {int(part) + 1}" if part.isdigit() else part for part in path[1:]]
    return f"[{path[0]}] {' '.join(keys)}".rstrip()


def _key(path: list[str]) -> str:
    return next((part for part in reversed(path) if not part.isdigit()), "")


def _given(path: list[str], value: object) -> str:
    if isinstance(value, Mapping) or not path:
        return ""
    return f" = {mask(_key(path), value)}"


def _owner(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The model that declares the last key of ``path``, as far as it can be followed."""
    for part in path[:-1]:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return model


def _unknown(path: list[str], owner: type[BaseModel]) -> str:
    known = list(owner.model_fields)
    what = "key" if len(path) > 1 else "section"
    near = difflib.get_close_matches(path[-1], known, 1, 0.6)
    hint = f'did you mean "{near[0]}"?' if near else f"known are: {', '.join(known)}"
    return f"unknown {what}; {hint}"


def _problem(one: Any) -> str:
    if one["type"] in _WORDS:
        return _WORDS[one["type"]]
    text = str(one["msg"]).removeprefix("Value error, ")
    if one["type"] == "value_error":
        return text
    _, should, what = text.partition(" should ")  # "Input should be …", "Tuple should have …"
    if should:
        return f"must {what.replace(' after validation', '')}"
    return f"must be {text}"


def _example(owner: type[BaseModel], path: list[str]) -> str:
    """The default as a remedy, where the key has one that says something."""
    key = _key(path)
    field = owner.model_fields.get(key)
    if len(path) < 2 or field is None or field.is_required() or field.default in (None, "", ()):
        return ""
    return f"; default is {mask(key, field.default)}" if field.default_factory is None else ""
