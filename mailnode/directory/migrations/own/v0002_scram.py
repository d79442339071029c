"""Keys for SCRAM, filled at plain logins."""

from __future__ import annotations

from alembic import op

from mailnode.directory.schema import scram_table

revision = "own_0002"
down_revision = "own_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, unless a run that was cut off has made it."""
    scram_table().create(op.get_bind(), checkfirst=True)
