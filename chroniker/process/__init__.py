"""The processes of one run: keeper, fork server, command. Standard library only.

Belongs here: starting, limiting and killing processes. Does not belong here: leases, reports and output (``worker``),
or anything that needs Django or a database, except the start of Django for the command itself.
"""
