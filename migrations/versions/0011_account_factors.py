"""What accounts need beside a password: mails, links, a second factor, and sign-in elsewhere."""

from fullhouse.infra.run_alembic import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
