"""Renders a page of the console: adds to its context the values that every page has.

One view renders a page and its refresh. For a refresh the script requests the same address with ``?_live=ETAG``, and
``render_console_page`` answers with the page's fragments as JSON, or with 304. So the refresh has the permissions,
filters and statements of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from chroniker.admin.shared.console_bar import CONSOLE_BAR_LINKS, console_bar_context, page_url
from chroniker.admin.shared.live_page import fragments_json, fragments_url, read_etag_of_refresh_request
from chroniker.admin.shared.site_links import admin_url

#: The seconds between two refreshes. The page of a running run sets ``live_seconds`` to 1.
REFRESH_INTERVAL_SECONDS = 5
#: Fragments of every page.
COMMON_FRAGMENT_TEMPLATES = {
    "ops-pulse": "chroniker/console/pulse.html",
    "ops-alarm": "chroniker/console/alarm.html",
    "ops-attention": "chroniker/console/attention_count.html",
}


def render_console_page(
    admin_site: AdminSite,
    request: HttpRequest,
    template: str,
    page_name: str,
    context: Mapping[str, Any],
    fragments: Mapping[str, str] | None = None,
    extra_values: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Render ``template``, which extends ``chroniker/console/base.html``.

    ``page_name``: the name of a page in ``console_bar.CONSOLE_BAR_LINKS``.
    ``context`` contains ``title``. It may contain ``console_trail``: the breadcrumbs (title, url) between the link of
    the bar and this page. ``fragments``: maps the id of an element to the template of its content. Without fragments
    the page is not refreshed. ``extra_values``: further values in the JSON of a refresh.
    """
    full = {
        **admin_site.each_context(request),
        "bar": console_bar_context(request, page_name),
        "console_now": timezone.localtime(),
        "zone": timezone.get_current_timezone_name(),
        "live_seconds": REFRESH_INTERVAL_SECONDS,
        "live_url": fragments_url(request.path, request.GET) if fragments else "",
        **context,
    }
    full["console_trail"] = _breadcrumbs(admin_site, request, page_name, full)
    etag = read_etag_of_refresh_request(request)
    response: HttpResponse
    if fragments and etag is not None:
        response = fragments_json(request, full, {**fragments, **COMMON_FRAGMENT_TEMPLATES}, etag, extra_values)
    else:
        response = TemplateResponse(request, template, full)
    add_never_cache_headers(response)
    return response


def refresh_bar_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """Refresh the bar of a page that Django renders. Any permission of this app is enough."""
    if not request.user.has_module_perms("chroniker"):
        raise PermissionDenied
    response = fragments_json(
        request,
        {"bar": console_bar_context(request, "")},
        COMMON_FRAGMENT_TEMPLATES,
        read_etag_of_refresh_request(request) or "",
    )
    add_never_cache_headers(response)
    return response


def _breadcrumbs(
    admin_site: AdminSite, request: HttpRequest, page_name: str, context: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The app, the page of the bar (unless this is that page), and the page's own ``console_trail``.

    ``url`` is empty where the user may not open the page.
    """
    start = page_url(request, "now")
    if not start and admin_site.get_app_list(request, "chroniker"):
        start = admin_url("app_list", "chroniker")
    app = {"title": apps.get_app_config("chroniker").verbose_name, "url": start}
    above = [
        {"title": page.title, "url": page_url(request, page_name)}
        for page in CONSOLE_BAR_LINKS
        if page.name == page_name
    ]
    given = [{"title": title, "url": url} for title, url in context.get("console_trail", ())]
    if above and str(above[0]["title"]) == str(context.get("title")):
        above = []
    return [app, *above, *given]
