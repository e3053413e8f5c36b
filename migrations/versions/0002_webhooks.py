"""The tables of webhooks."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
