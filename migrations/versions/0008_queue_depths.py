"""The depths of queues."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
