"""Links from one admin page to another one, within the admin site that answers the request.

A project may have several admin sites and may register only some of this app's models in each. ``admin_url`` gives an
empty text for a page that the current site does not have; callers then show plain text. In templates the same is
``{% url … as name %}``, because ``request.current_app`` is set here too.
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
from chroniker.wording.formats import NOTHING

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

#: The name of the site that answers the current request. Every view of this app sets it, so it is never out of date.
_current_site: ContextVar[str | None] = ContextVar("chroniker_admin_site", default=None)
#: The user of the current request. Set by every view, as the site is.
_current_user: ContextVar[Any] = ContextVar("chroniker_admin_user", default=None)


def admin_url(view: str, *args: object) -> str:
    """The address of ``view``, such as ``"chroniker_job_change"``; empty if the current site does not have it."""
    try:
        return reverse(f"admin:{view}", args=args, current_app=_current_site.get())
    except NoReverseMatch:
        return ""


def viewable_url(view: str, *args: object) -> str:
    """As ``admin_url``, for a page that shows a model; empty also if the user may not view this model.

    ``view``: as in "chroniker_job_status"; its second word is the model.
    """
    user, model = _current_user.get(), view.split("_")[1]
    return admin_url(view, *args) if user is not None and has_permission(user, f"view_{model}") else ""


def has_permission(user: Any, name: str) -> bool:
    """Whether the user has a permission of this app, by its short name. The right to change includes to view."""
    also = name.replace("view_", "change_")
    return bool(user.has_perm(f"chroniker.{name}") or user.has_perm(f"chroniker.{also}"))


class RowUrls:
    """The addresses of pages of many rows. Each page is resolved once, because that takes most of a row's time."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[str, str]] = {}

    def url(self, view: str, pk: object) -> str:
        """As ``admin_url(view, pk)``. ``pk``: a number, or a UUID that the page takes as text."""
        if view not in self._parts:
            head, _, tail = admin_url(view, 0).rpartition("/0/")
            self._parts[view] = head, tail
        head, tail = self._parts[view]
        return f"{head}/{pk}/{tail}" if head else ""


def use_site_of(request: HttpRequest) -> None:
    """For the pages of the admin site itself, such as the index of an app: they are no views of this app."""
    _current_site.set(getattr(request, "current_app", None))


def job_url(pk: int) -> str:
    """The page of a job; empty if the current site has none."""
    return admin_url("chroniker_job_status", pk) or admin_url("chroniker_job_change", pk)


def redirect_to(view: str, *args: object) -> HttpResponse:
    """Redirect to ``view``. Raises ``Http404`` if the current site does not have it."""
    url = admin_url(view, *args)
    if not url:
        raise Http404
    return redirect(url)


class SiteLinks:
    """Put this first among the bases of a ``ModelAdmin``: its views then know which site they belong to.

    Lists have the name of their model as title.
    """

    empty_value_display = NOTHING  #: as on the pages of the console

    if TYPE_CHECKING:
        admin_site: AdminSite
        opts: Any

        def get_urls(self) -> list[URLPattern]: ...

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with the name of its model as title. It refreshes itself like the pages of the console."""
        title = capfirst(self.opts.verbose_name_plural)
        response: HttpResponse = super().changelist_view(request, {"title": title, **(extra_context or {})})  # type: ignore[misc]
        return live_page.live_list(request, response)

    @property
    def urls(self) -> list[URLPattern]:
        patterns = self.get_urls()
        for pattern in patterns:
            pattern.callback = _bind_site(self.admin_site.name, pattern.callback)
        return patterns


def _bind_site(site: str, view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def within(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        _current_site.set(site)
        _current_user.set(getattr(request, "user", None))
        request.current_app = site  # read by the template tag "url"
        live_page.take_parameter(request)
        if request.method not in ("GET", "HEAD"):  # it may change the pause, and show it
            return view(request, *args, **kwargs)
        with pauses.read_pause_once():
            return view(request, *args, **kwargs)

    return within
