"""Links from one admin page to another one, within the admin site that answers the request.

A project may have several admin sites and may register only some of this app's models in each. ``admin_url`` returns an
empty text for a page that the current site does not have; callers then show plain text. In templates
``{% url … as name %}`` does the same, because this module also sets ``request.current_app``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.urls.resolvers import URLPattern
from django.utils.text import capfirst

from chroniker.admin.shared import live_page
from chroniker.eligibility import pauses
from chroniker.wording.formats import NO_VALUE_TEXT

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

#: The name of the site that answers the current request. Every view of this app sets it, so it cannot be
#: outdated.
_current_site: ContextVar[str | None] = ContextVar("chroniker_admin_site", default=None)
#: The user of the current request. Every view of this app sets this user.
_current_user: ContextVar[Any] = ContextVar("chroniker_admin_user", default=None)


def admin_url(url_name: str, *args: object) -> str:
    """The address of ``url_name``, such as ``"chroniker_job_change"``; empty if the current site does not have it."""
    try:
        return reverse(f"admin:{url_name}", args=args, current_app=_current_site.get())
    except NoReverseMatch:
        return ""


def admin_url_if_viewable(url_name: str, *args: object) -> str:
    """Like ``admin_url``, but also empty if the user may not view the model of the page.

    The second word of ``url_name`` is the model, as in "chroniker_job_status".
    """
    user, model = _current_user.get(), url_name.split("_")[1]
    return admin_url(url_name, *args) if user is not None and user_has_permission(user, f"view_{model}") else ""


def user_has_permission(user: Any, permission: str) -> bool:
    """Whether the user has this permission of this app. The permission to change includes the permission to view.

    ``permission``: its short name, such as "view_job".
    """
    also = permission.replace("view_", "change_")
    return bool(user.has_perm(f"chroniker.{permission}") or user.has_perm(f"chroniker.{also}"))


class AdminUrlCache:
    """The addresses for links of many rows. Each URL name is resolved only once: it is the slowest part of a row."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[str, str]] = {}

    def url(self, url_name: str, pk: object) -> str:
        """As ``admin_url(view, pk)``. ``pk``: a number, or a UUID that the page takes as text."""
        if url_name not in self._parts:
            head, _, tail = admin_url(url_name, 0).rpartition("/0/")
            self._parts[url_name] = head, tail
        head, tail = self._parts[url_name]
        return f"{head}/{pk}/{tail}" if head else ""


def set_current_site(request: HttpRequest) -> None:
    """Set the current site on a page of the admin site itself, such as the index of an app.

    The views of this app do not need it: ``SiteLinksMixin`` sets the site for them.
    """
    _current_site.set(getattr(request, "current_app", None))


def job_url(job_id: int) -> str:
    """The page of a job; empty if the current site has none."""
    return admin_url("chroniker_job_status", job_id) or admin_url("chroniker_job_change", job_id)


def redirect_to(url_name: str, *args: object) -> HttpResponse:
    """Redirect to ``url_name``. Raises ``Http404`` if the current site does not have it."""
    url = admin_url(url_name, *args)
    if not url:
        raise Http404
    return redirect(url)


class SiteLinksMixin:
    """The first base class of each ``ModelAdmin`` here: its views then know which site they belong to."""

    empty_value_display = NO_VALUE_TEXT  #: as on the pages of the console

    if TYPE_CHECKING:
        admin_site: AdminSite
        opts: Any

        def get_urls(self) -> list[URLPattern]: ...

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the name of its model as title. It refreshes itself like the pages of the console."""
        title = capfirst(self.opts.verbose_name_plural)
        response: HttpResponse = super().changelist_view(request, {"title": title, **(extra_context or {})})  # type: ignore[misc]
        return live_page.list_or_fragments_response(request, response)

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            pattern.callback = _wrap_view_with_site(self.admin_site.name, pattern.callback)
        return patterns


def _wrap_view_with_site(site_name: str, view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def within(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        _current_site.set(site_name)
        _current_user.set(getattr(request, "user", None))
        request.current_app = site_name  # read by the template tag "url"
        live_page.move_refresh_parameter_to_attribute(request)
        if request.method not in ("GET", "HEAD"):  # such a request may change the pause, and then must read it again
            return view(request, *args, **kwargs)
        with pauses.cache_global_pause():
            return view(request, *args, **kwargs)

    return within
