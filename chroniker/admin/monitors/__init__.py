"""Monitors in the admin: a list of the jobs that check whether something needs attention. They are edited as jobs."""
