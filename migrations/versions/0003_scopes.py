"""Scopes of API keys, the limit of refunds, and what an organization asks of its members."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
