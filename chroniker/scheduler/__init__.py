"""The tick: find due jobs, claim them, dispatch their runs; the loop around it; retention.

Belongs here: the order of steps, and what starts them (loop, request of a person, signal). Does not belong here: writes
of run states and leases (``lifecycle``), and rules whether a job may run (``eligibility``).
"""
