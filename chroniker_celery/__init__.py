"""chroniker on Celery: an executor that sends claimed runs to workers, what those workers need, and a beat.

``INSTALLED_APPS += ["chroniker_celery"]`` is all that workers need: the app registers the one task, and equips every
worker of the project's Celery app. ``CHRONIKER_EXECUTORS`` names ``chroniker_celery.executor.CeleryExecutor``.
"""
