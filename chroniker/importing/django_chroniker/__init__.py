"""Imports jobs and logs of django-chroniker, from its tables or from a dump.

Belongs here: reading and converting its rows. Does not belong here: saving jobs (``importing.saving``).
"""
