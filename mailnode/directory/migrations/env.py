"""Alembic asks this file for the connection; ``directory.migrate`` has put it there."""

from __future__ import annotations

from alembic import context

_attributes = context.config.attributes
context.configure(
    connection=_attributes["connection"],
    version_table=_attributes["version_table"],
    transactional_ddl=False,
)
with context.begin_transaction():
    context.run_migrations()
