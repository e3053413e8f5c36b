"""The rules of the ledger, kept by the database."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
