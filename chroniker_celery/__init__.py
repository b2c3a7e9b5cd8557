"""chroniker on Celery: an executor that sends runs to workers, the workers' side of it, and a scheduler for beat.

Belongs here: all code that imports Celery. Does not belong here: decisions about jobs and runs (``chroniker``).

``INSTALLED_APPS += ["chroniker_celery"]`` is all that workers need: the app registers the task and equips each worker
of the project's Celery app. ``CHRONIKER_EXECUTORS`` names ``chroniker_celery.executor.CeleryExecutor``.
"""
