"""Jobs that are declared in code: how they are written, found, and brought into the database.

Nothing is imported here: ``chroniker.job`` is used in modules that are imported before the models are ready.
"""
