"""One run in a worker: supervise the command, renew the lease, forward its output.

Belongs here: decisions and threads of a supervisor. Does not belong here: models and SQL
(``executors.database_report``), and process trees (``process``).
"""
