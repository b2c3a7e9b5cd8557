"""One module per management command that needs Celery.

Code that two commands share does not belong here.
"""
