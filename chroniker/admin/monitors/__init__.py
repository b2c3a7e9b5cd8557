"""Monitors in the admin: a list of the jobs that check whether something needs attention. They are edited as jobs.

Does not belong here: the form of a monitor (``jobs``), and the check itself (``chroniker.monitors``).
"""
