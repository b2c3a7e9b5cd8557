"""Runs in the admin: the list, the page of one run, and its output. All of it is read-only, except the Stop button."""
