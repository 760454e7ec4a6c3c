"""Who has seen which alert; what became of a message, by its id."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "acknowledgements",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("ix_acknowledgements_at", "acknowledgements", ["at"])
    op.create_index("ix_outbox_event_id", "outbox", ["event_id"])
