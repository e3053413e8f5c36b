"""How often a session's terms changed."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
