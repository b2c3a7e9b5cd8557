"""Migrations of the table of ``beat_schedule``.

Code that other modules import does not belong here.
"""
