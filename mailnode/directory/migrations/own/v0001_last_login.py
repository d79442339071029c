"""When and from where each user was last let in."""

from __future__ import annotations

from alembic import op

from mailnode.directory.schema import last_login_table

revision = "own_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, unless a run that was cut off has made it."""
    last_login_table().create(op.get_bind(), checkfirst=True)
