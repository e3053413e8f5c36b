"""Links to orders by mail."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
