"""Converts the lines of a crontab to jobs."""
