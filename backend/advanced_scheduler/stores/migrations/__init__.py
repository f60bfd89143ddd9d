"""The revisions of the tables, oldest first; ``sql_migration`` runs them.

A revision only adds: a column that may be null or has a server default, an index, a table. So
nodes of the release before go on beside it. What it can no longer do without, it drops one
release later, and then raises ``readable_from`` in ``scheduler_meta``.
"""
