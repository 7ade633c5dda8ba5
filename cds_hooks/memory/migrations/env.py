"""Read by alembic: migrates over the connection that the caller has opened."""

from alembic import context

from cds_hooks.memory.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    transactional_ddl=True,  # the engine sends BEGIN itself, to SQLite as well
)
with context.begin_transaction():
    context.run_migrations()
