"""Alembic's home: one line of versions for PostfixAdmin's tables, one for our own."""
