import pytest

from mailnode.access.imap.reply import from_error, no, ok
from mailnode.model.errors import (
    BadFolderName,
    DirectoryGone,
    FolderExists,
    MailnodeError,
    NoSuchFolder,
    NoSuchMessage,
    OverQuota,
    PermanentError,
    StorageFull,
    StorageGone,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverQuota, "OVERQUOTA"),
        (NoSuchFolder, "NONEXISTENT"),
        (FolderExists, "ALREADYEXISTS"),
        (BadFolderName, "CANNOT"),
        (NoSuchMessage, "EXPUNGEISSUED"),
        (StorageGone, "UNAVAILABLE"),
        (StorageFull, "UNAVAILABLE"),
        (DirectoryGone, "UNAVAILABLE"),
        (PermanentError, "CANNOT"),
        (MailnodeError, "SERVERBUG"),
    ],
)
def test_each_error_has_its_code_and_hides_its_cause(error: type[MailnodeError], code: str) -> None:
    reply = from_error(error("/srv/secret/path"))
    assert (reply.status, reply.code, reply.text) == ("NO", code, error.public)


def test_missing_folder_may_be_created() -> None:
    assert from_error(NoSuchFolder(), "TRYCREATE").code == "TRYCREATE"


def test_lines() -> None:
    assert ok("done", "READ-WRITE").line("a1") == b"a1 OK [READ-WRITE] done\r\n"
    assert no("sorry").line("*") == b"* NO sorry\r\n"
