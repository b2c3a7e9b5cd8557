"""Addresses of the console's pages. The module of a page is loaded by its first request.

Every process of a project loads the admin classes and their addresses: also workers, and each command. Only a process
that serves the pages needs the pages.
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


def addresses(model_admin: ModelAdmin[Any], pages: Iterable[PageAddress]) -> list[URLPattern]:
    """For ``get_urls``. A page needs a login, and its view checks the permissions; a JSON view checks both."""
    site = model_admin.admin_site
    views = [(page, loading_view(model_admin, page.view)) for page in pages]
    return [
        path(page.route, view if page.is_json else site.admin_view(view), name=f"chroniker_{page.name}")
        for page, view in views
    ]


def loading_view(model_admin: ModelAdmin[Any], name: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, **values: Any) -> HttpResponse:
        found: Callable[..., HttpResponse] = import_string(f"chroniker.admin.{name}")
        return found(model_admin, request, **values)

    return view
