"""What Alembic runs to bring a database up to date, over the connection that ``fullhouse.infra.run_alembic`` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,
    # A failed migration leaves its predecessors in place and nothing of itself.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
