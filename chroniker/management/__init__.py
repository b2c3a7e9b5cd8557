"""Management commands, and the modules that several of them share.

Belongs here: arguments and output. Rules and queries do not belong here: the admin needs the same ones.
"""
