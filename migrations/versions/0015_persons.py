"""Who tickets are for, and what is asked and answered."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
