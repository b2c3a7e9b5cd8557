"""Imports periodic tasks of django-celery-beat, from its tables or from a dump. It need not be installed.

Belongs here: reading and converting its rows. Does not belong here: saving jobs (``chroniker.importing``).
"""
