"""Alembic's entry: migrations run in the transaction that `upgrade` was given, and only there."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    transactional_ddl=False,  # the caller's transaction holds it all, and its lock
)
context.run_migrations()
