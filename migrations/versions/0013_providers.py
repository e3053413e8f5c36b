"""What providers beside the simulated one need: keys, disputes, days that are compared, open cases."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
