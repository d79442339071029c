"""PostfixAdmin's schema, version 1856, in an empty database.

Tables that are there already are left alone, so that a run that was cut off can be repeated.
"""

from __future__ import annotations

from alembic import context, op
from sqlalchemy import delete, insert

from mailnode.directory.schema import VERSION, postfixadmin_tables

revision = "pfa_1856"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables and say which version they are."""
    tables = postfixadmin_tables(context.config.attributes["prefix"])
    connection = op.get_bind()
    tables.metadata.create_all(connection)
    connection.execute(delete(tables.config).where(tables.config.c.name == "version"))
    connection.execute(insert(tables.config).values(name="version", value=VERSION))
