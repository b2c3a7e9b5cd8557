"""Imports periodic tasks of django-celery-beat, from its tables or from a dump. It need not be installed."""
