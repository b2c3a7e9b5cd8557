"""Pages for operators: hosts, outgoing messages, reliability.

Pages about single jobs and runs do not belong here (``jobs``, ``runs``).
"""
