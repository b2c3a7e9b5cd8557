# Django loads this package first: from here on, shared tasks and executors find this app in every process.
from demo.celery import app as celery_app

__all__ = ["celery_app"]
