"""One module per management command: arguments, one call, output.

Code that two commands share does not belong here (``management``).
"""
