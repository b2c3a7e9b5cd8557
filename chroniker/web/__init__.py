"""Addresses for programs: load balancers, monitoring.

Belongs here: views without a login, and their tokens. Does not belong here: pages for people (``admin``), and the facts
in the answers (``insights``).
"""
