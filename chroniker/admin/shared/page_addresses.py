"""Addresses of the console's pages. The first request for a page imports the module of the page.

Every process of a project imports the admin classes and their addresses: also workers, and each command. Only a
process that serves pages needs the modules of the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.module_loading import import_string


class PageAddress(NamedTuple):
    """The address of ``view(model_admin, request, …)``, below the list of its model."""

    route: str
    view: str  #: the name of the function below ``chroniker.admin``
    name: str  #: of the address, without ``chroniker_``
    is_json: bool = False  #: it is a ``json_view``


def make_url_patterns(model_admin: ModelAdmin[Any], pages: Iterable[PageAddress]) -> list[URLPattern]:
    """The URL patterns for ``get_urls``.

    The site checks the login for a page, and its view checks the permissions; a JSON view checks both itself.
    """
    site = model_admin.admin_site
    views = [(page, _make_view_imported_on_demand(model_admin, page.view)) for page in pages]
    return [
        path(page.route, view if page.is_json else site.admin_view(view), name=f"chroniker_{page.name}")
        for page, view in views
    ]


def _make_view_imported_on_demand(model_admin: ModelAdmin[Any], view_name: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **values: Any) -> HttpResponse:
        found: Callable[..., HttpResponse] = import_string(f"chroniker.admin.{view_name}")
        return found(model_admin, request, **values)

    return view
