"""The tables of consents, of the orders of an address, and of what was erased."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
