"""Imports jobs and logs of django-chroniker, from its tables or from a dump."""
