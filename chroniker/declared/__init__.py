"""Jobs that are declared in code: how they are declared, found and synchronised with the database.

Imports nothing: ``chroniker.job`` is used in modules that Django imports before the models are ready.
"""
