"""Jobs that are declared in code: how they are declared, found and synchronised with the database.

Belongs here: the decorator, the search for declarations, and the comparison with the database. Does not belong here:
changes of job states (``lifecycle``). This module imports nothing: ``chroniker.job`` is used in modules that Django
imports before the models are ready.
"""
