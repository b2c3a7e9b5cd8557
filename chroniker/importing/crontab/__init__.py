"""A crontab, and what its lines become here."""
