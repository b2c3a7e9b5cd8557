"""Metrics for Prometheus, computed from the database when they are requested. Read-only.

Belongs here: the list of metrics, their values, and the two text formats. Does not belong here: who may read them.
"""
