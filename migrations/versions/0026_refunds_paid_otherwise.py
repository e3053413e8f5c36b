"""Refunds that ended otherwise than by their provider."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
