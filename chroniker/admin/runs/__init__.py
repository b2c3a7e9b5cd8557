"""Runs in the admin: the list, the page of one run, and its output. All of it is read-only, except the Stop button.

Run and stop buttons that other pages show too do not belong here (``shared``).
"""
