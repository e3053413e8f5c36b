"""The taxes of receipts, by rate."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
