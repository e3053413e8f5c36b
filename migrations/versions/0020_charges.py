"""Fees and taxes."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
