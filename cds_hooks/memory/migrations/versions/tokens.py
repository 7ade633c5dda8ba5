"""Used tokens, for a replay store that several machines share."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables; in a SQLite file they stay empty, because its processes share a file of their own."""
    op.create_table(
        "used_tokens",
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("token", sa.LargeBinary(16), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("client", "token", name="pk_used_tokens"),
    )
    op.create_index("ix_used_tokens_client_until", "used_tokens", ["client", "until"])
    op.create_table(
        "token_shares",
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("forgotten", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("client", name="pk_token_shares"),
    )
    op.create_table(
        "token_recording",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("place", sa.String(120), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_token_recording"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("token_recording", "token_shares", "used_tokens"):
        op.drop_table(table)
