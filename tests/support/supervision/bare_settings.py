"""Settings of a project with nothing in it: its nursery is warm in no time."""

SECRET_KEY = "for tests only"
USE_TZ = True
