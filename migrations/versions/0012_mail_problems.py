"""What became of mails."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
