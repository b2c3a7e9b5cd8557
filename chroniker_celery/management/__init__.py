"""Management commands that need Celery.

Commands that work without Celery do not belong here (``chroniker.management``).
"""
