"""Whether a job may be claimed now, and why not: due instants, dependencies, groups, pauses, hosts.

Belongs here: the rules for a claim, each written once, with its message for people. Does not belong here: changes of
runs or leases (``lifecycle``), and the calculation of schedules (``schedule``).
"""
