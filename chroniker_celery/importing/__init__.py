"""django-celery-beat: its tables, or a dump of them, and what its tasks become here. It need not be installed."""
