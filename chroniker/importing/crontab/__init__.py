"""Converts the lines of a crontab to jobs.

Belongs here: the syntax of crontab files. Does not belong here: saving jobs (``importing.saving``).
"""
