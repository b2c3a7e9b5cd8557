"""django-chroniker: its tables, or a dump of them, and what its jobs and logs become here."""
