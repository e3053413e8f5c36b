"""Finding reservations that came to nothing."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
