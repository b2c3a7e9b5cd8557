"""The commands of jobs: which are allowed, their list, their arguments and their environment.

Belongs here: rules and facts about commands. Does not belong here: the execution of a command (``process``).
"""
