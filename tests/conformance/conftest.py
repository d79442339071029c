"""Fixtures that dialogs of several RFCs share."""

from tests.support.imap_fixture import imap as imap
