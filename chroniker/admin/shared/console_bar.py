"""The bar of every page: links to the pages that the user may open, and the scheduler's health (``pulse``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.live_page import fragments_url
from chroniker.admin.shared.pulse import fetch_bar_health_cells, fetch_pause_notice
from chroniker.admin.shared.site_links import admin_url, set_current_site, user_has_permission
from chroniker.insights.attention import count_attention_items


@dataclass(frozen=True, slots=True)
class PageLink:
    """``key``: the keyboard shortcut ``g`` and then this key opens the page. ``permissions``: the user needs all."""

    name: str
    title: Any
    view: str
    permissions: tuple[str, ...]
    key: str = ""


CONSOLE_BAR_LINKS = (
    PageLink("now", _("Now"), "chroniker_job_now", ("view_job",), "n"),
    PageLink("jobs", _("Jobs"), "chroniker_job_changelist", ("view_job",), "j"),
    PageLink("runs", _("Runs"), "chroniker_run_changelist", ("view_run",), "r"),
    PageLink("timeline", _("Timeline"), "chroniker_job_timeline", ("view_job",), "t"),
    PageLink("graph", _("Graph"), "chroniker_job_graph", ("view_job",)),
    PageLink("fleet", _("Fleet"), "chroniker_host_changelist", ("view_host",), "f"),
    PageLink("reliability", _("Reliability"), "chroniker_run_reliability", ("view_run",)),
)
#: The URL name of the view that refreshes only the bar.
BAR_REFRESH_URL_NAME = "chroniker_job_pulse"
#: For a page that Django renders: maps its model to the page of the bar that is marked as current.
PAGE_NAME_BY_MODEL = {"job": "jobs", "run": "runs", "host": "fleet"}


def console_bar_context(request: HttpRequest, current_page: str) -> dict[str, Any]:
    """For the template ``bar.html``. ``current_page``: the name of the page."""
    may = make_permission_check(request)
    pages = [
        {"name": page.name, "title": page.title, "url": url, "key": page.key}
        for page in CONSOLE_BAR_LINKS
        if all(map(may, page.permissions)) and (url := admin_url(page.view))
    ]
    cells = fetch_bar_health_cells(may)
    # The bar always shows the tick, and other cells only if they are not good. The start page itself shows all cells.
    shown = [] if current_page == "now" else [cell for cell in cells if cell.name == "tick" or cell.tone != "good"]
    return {
        "pages": pages,
        "current": current_page,
        "now": timezone.now(),
        "cells": cells,
        "attention": count_attention_items(timezone.now()),
        "alarms": [] if current_page == "now" else [cell for cell in cells if cell.alarm],
        "pulse": shown,
        "pause": fetch_pause_notice(may),
    }


def console_bar_context_for_django_page(request: HttpRequest, model_name: str, live_url: str = "") -> dict[str, Any]:
    """The context of the bar on a page that Django renders (of a model of this app, or the index of the app).

    ``live_url``: the address that refreshes the page. Without it, only the bar is refreshed.
    """
    set_current_site(request)
    return {
        **console_bar_context(request, PAGE_NAME_BY_MODEL.get(model_name, "")),
        "live_url": live_url or fragments_url(admin_url(BAR_REFRESH_URL_NAME)),
    }


def page_url(request: HttpRequest, page_name: str) -> str:
    """The address of a page of the bar; empty if the user may not open it, or the site does not have it."""
    set_current_site(request)
    may = make_permission_check(request)
    found = next(page for page in CONSOLE_BAR_LINKS if page.name == page_name)
    return admin_url(found.view) if all(map(may, found.permissions)) else ""


def make_permission_check(request: HttpRequest) -> Callable[[str], bool]:
    """A function that tells whether the user of this request has a permission, given by its short name."""
    return partial(user_has_permission, request.user)
