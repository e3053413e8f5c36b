"""Several refunds that one lost dispute has paid."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
