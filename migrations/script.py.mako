"""${message}"""

from fullhouse.infra.run_alembic import run_sql_beside

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Run the SQL beside this file."""
    run_sql_beside(__file__)
