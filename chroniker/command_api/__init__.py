"""Functions for running commands: the fence around their effects, and the count of a monitor.

Belongs here: code that a job's command calls in its own process. Does not belong here: code of the worker.
"""
