"""What a verb of the store may raise: our own errors, whatever happened below.

A directory that vanished under a verb means that the folder is gone, or, when the guard file is
gone too, that the storage is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailnode.model.errors import NoSuchFolder, StorageGone


@contextmanager
def plain_errors(guard: Callable[[], None]) -> Iterator[None]:
    """Raise ``NoSuchFolder`` or ``StorageGone`` for bare ``OSError``s; ask ``guard`` which."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        guard()
        raise NoSuchFolder(str(error)) from error
    except OSError as error:
        raise StorageGone(str(error)) from error
    except NoSuchFolder:
        guard()
        raise
