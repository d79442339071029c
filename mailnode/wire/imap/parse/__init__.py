"""Commands from octets: one module a command family. ``parse_command`` is the way in."""

from mailnode.wire.imap.lexer import Bounds as Bounds
from mailnode.wire.imap.parse.command import COMMANDS as COMMANDS
from mailnode.wire.imap.parse.command import UID_COMMANDS as UID_COMMANDS
from mailnode.wire.imap.parse.command import parse_command as parse_command
