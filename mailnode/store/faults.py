"""What a verb of the store may raise: our own errors, whatever happened below.

A directory that vanished under a verb means that the folder is gone, or, when the guard file is
gone too, that the storage is.
"""

from __future__ import annotations

from collections.abc import Callable

from mailnode.model.errors import NoSuchFolder, StorageGone


class plain_errors:  # noqa: N801 - reads as the word it is; a class, for each verb uses it
    """Raise ``NoSuchFolder`` or ``StorageGone`` for bare ``OSError``s; ask ``guard`` which."""

    __slots__ = ("_guard",)

    def __init__(self, guard: Callable[[], None]) -> None:
        self._guard = guard

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            self._guard()
            raise NoSuchFolder(str(error)) from error
        if isinstance(error, OSError):
            raise StorageGone(str(error)) from error
        if isinstance(error, NoSuchFolder):
            self._guard()
