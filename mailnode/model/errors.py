"""What can go wrong below the protocol doors, in our own words.

Promises: nothing here knows SMTP replies or IMAP responses; each door maps these once.
``public`` may be shown to a client, the exception text may not; ``remedy`` tells the operator
what to do.
"""

from __future__ import annotations


class MailnodeError(Exception):
    """Base of every error that a room raises on purpose."""

    public = "internal error"

    def __init__(self, cause: str = "", public: str | None = None) -> None:
        super().__init__(cause or (public or self.public))
        if public is not None:
            self.public = public


class TemporaryError(MailnodeError):
    """Try again later: the state is unknown or a resource is missing for now."""

    public = "temporary failure, try again later"


class PermanentError(MailnodeError):
    """Will not work however often it is tried."""

    public = "not possible"


class StorageGone(TemporaryError):
    """The mail root lacks its guard file, is read-only, or an I/O error came back."""

    public = "mail storage is not available, try again later"
    remedy = (
        "see that the mail storage is mounted and writable, and what the kernel's log says of its "
        "disk; see `mailnode doctor`"
    )


class StorageFull(TemporaryError):
    """ENOSPC or EDQUOT from the file system."""

    public = "mail storage is full, try again later"
    remedy = "free space on the mail storage, or raise its size, inodes or quota (df, df -i)"


class LeaseLost(TemporaryError):
    """Another node took this node's lease: it must write and acknowledge nothing more."""

    public = "this server was replaced, connect again"


class DirectoryGone(TemporaryError):
    """No database answered and no cached answer is known."""

    public = "user directory is not available, try again later"


class OverQuota(PermanentError):
    """The mailbox would exceed its limit."""

    public = "mailbox is full"


class NoSuchFolder(PermanentError):
    """The folder does not exist."""

    public = "no such mailbox"


class NoPermission(NoSuchFolder):
    """The user lacks a right to it: whoever may not use a folder shall do as if there were none,
    but may be told (RFC 4314 6: only of what he may look up)."""

    public = "no permission"


class FolderExists(PermanentError):
    """The folder exists already."""

    public = "mailbox exists already"


class BadFolderName(PermanentError):
    """The folder name cannot be kept: empty level, too long, reserved, or not text."""

    public = "mailbox name not allowed"


class TooManyAnnotations(PermanentError):
    """The folder (or the account) holds as many annotations as it may."""

    public = "too many annotations"


class NoSuchMessage(PermanentError):
    """The message was expunged, here or by someone else."""

    public = "message no longer exists"


class BadSettings(MailnodeError):
    """A settings file or an option is wrong; the text names file, key and remedy."""
