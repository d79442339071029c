"""What a database's errors mean: is the server gone, and what is a person to do?

Promises: texts are the server's own words, without statement and parameters.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

# A server that only reads (replica, or a primary being demoted): nothing was done, ask the next.
READ_ONLY = frozenset({1290, 1792, 1836, 1874})
# A node of a Galera cluster that lost sight of the majority: it answers, but to no question.
CUT_OFF = frozenset({1047})
ELSEWHERE = READ_ONLY | CUT_OFF
# No connection is left, for anybody or for us.
FULL = frozenset({1040, 1203, 1226})
# Lost, killed or refused connections; the 2000s are the client library's own.
LOST = frozenset({1053, 1077, 1129, 1927, 2002, 2003, 2006, 2013, 2014, 2027})

GONE = "check that the database server runs; known users go on from the cache"
BUSY = (
    "see what keeps the database server busy (SHOW FULL PROCESSLIST); if it is only the number of "
    "questions, raise directory.pool_size"
)
_DENIED = "check user and password in directory.urls, or what its password_file holds"
_NO_RIGHT = "check the database's name in directory.urls, and GRANT its user rights to it"
_OLD_TABLES = (
    "bring PostfixAdmin's tables up to date (open its setup.php), or check directory.table_prefix"
)
_LOCKED = (
    "see who keeps rows or tables locked (SHOW FULL PROCESSLIST); figures that could not be "
    "written are written later"
)
_READS_ONLY = (
    "the database takes no writing (read_only): mail and logins go on, quota2 and last logins are "
    "written once it does"
)
_NO_MAJORITY = "see why this node of the cluster does not see the others (wsrep_cluster_status)"
_TLS = "check ssl_ca in directory.urls, and the certificate of the database server"
_STRANGE = "check host and port in directory.urls: something else than a database listens there"
_REMEDIES: dict[int, str] = {
    **dict.fromkeys(
        FULL, "raise max_connections of the database server, or lower directory.pool_size"
    ),
    **dict.fromkeys(READ_ONLY, _READS_ONLY),
    **dict.fromkeys(CUT_OFF, _NO_MAJORITY),
    **dict.fromkeys((1045, 1130, 1251, 1524, 1698, 1820, 1862, 2059), _DENIED),
    **dict.fromkeys((1044, 1049, 1142, 1143), _NO_RIGHT),
    **dict.fromkeys((1054, 1146), _OLD_TABLES),
    **dict.fromkeys((1205, 1213, 1969, 3024), _LOCKED),
    2012: _STRANGE,
    2026: _TLS,
    2027: _STRANGE,
}


class Trouble(Exception):
    """A question that a server did not answer.

    ``elsewhere``: nothing was done, or doing it again does no harm, so another server may be asked.
    ``again``: only the connection was lost; the same server may be asked again.
    ``remedy``: for the log, where a person should hear of it.
    """

    def __init__(
        self, text: str, remedy: str = "", *, elsewhere: bool = False, again: bool = False
    ) -> None:
        super().__init__(text)
        self.remedy = remedy
        self.elsewhere = elsewhere
        self.again = again


def number_of(error: BaseException) -> int:
    """The server's or the library's number of this error; 0 where it has none."""
    arguments = getattr(getattr(error, "orig", None) or error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def remedy_of(error: BaseException, otherwise: str = "see the reason") -> str:
    """What a person is to do."""
    return _REMEDIES.get(number_of(error), otherwise)


def plain(error: BaseException) -> str:
    """The driver's own words, without statement or parameters."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, DBAPIError):
        return str(error.orig)
    return str(error) or type(error).__name__


def is_lost(error: Exception) -> bool:
    """Whether the connection to a server is gone with this error."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or number_of(error) in LOST
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)
