"""The ``pop3`` fixture."""

from tests.support.pop3_server import pop3 as pop3
