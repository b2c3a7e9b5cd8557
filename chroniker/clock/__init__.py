"""The database's clock, which decides about time; and the detection of its jumps.

Belongs here: reading the clock, and the decision whether a reading is trusted. Does not belong here: what to do after a
jump (``lifecycle``, ``eligibility.hosts``).
"""
