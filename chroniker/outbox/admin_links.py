"""Builds absolute URLs of admin pages."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.urls import NoReverseMatch, reverse

from chroniker.conf import settings
from chroniker.models import Run


def run_link(run: Run) -> str:
    """The URL of the run's page in the admin; empty where the site's host is not configured."""
    return _page_url("admin:chroniker_run_change", run.pk)


def job_link(job_id: int) -> str:
    """The URL of the page Status of a job; empty under the same condition."""
    return _page_url("admin:chroniker_job_status", job_id)


def start_page_link() -> str:
    """The URL of the start page; empty under the same condition."""
    return _page_url("admin:chroniker_job_now")


def fleet_link() -> str:
    """The URL of the page Fleet; empty under the same condition."""
    return _page_url("admin:chroniker_host_changelist")


def _page_url(name: str, *args: object) -> str:
    base = _base_url()
    try:
        return base and base.rstrip("/") + reverse(name, args=args)
    except (NoReverseMatch, ImproperlyConfigured):  # no pages, no admin, or its admin has another name
        return ""


def absolute_url(path: str) -> str:
    """``path`` with scheme and host; unchanged if it has a host, or if no host is configured."""
    return _base_url().rstrip("/") + path if path.startswith("/") else path


def _base_url() -> str:
    if settings.base_url:
        return settings.base_url
    if not apps.is_installed("django.contrib.sites"):
        return ""
    from django.contrib.sites.models import Site

    try:
        domain = Site.objects.get_current().domain
    except (ImproperlyConfigured, ObjectDoesNotExist):  # no SITE_ID, or no such site
        return ""
    if domain.startswith(("http://", "https://")):
        return domain
    secure = django_settings.SECURE_SSL_REDIRECT or django_settings.SESSION_COOKIE_SECURE
    return f"{'https' if secure else 'http'}://{domain}"
