"""Settings of a project without apps, so that its fork server starts quickly."""

SECRET_KEY = "for tests only"
USE_TZ = True
