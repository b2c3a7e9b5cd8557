"""Runs in the admin: the list, the page of one run, and its output. Read-only, except for the buttons.

Run and stop buttons that other pages show too do not belong here (``shared``).
"""
