"""The bar of every page: links to the pages that the user may open, and the scheduler's health (``pulse``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.live_page import live_address
from chroniker.admin.shared.pulse import pause_notice, pulse_cells
from chroniker.admin.shared.site_links import admin_url, has_permission, use_site_of
from chroniker.insights.attention import count_attention_items


@dataclass(frozen=True, slots=True)
class PageLink:
    """``key``: after ``g`` it opens the page. ``permissions``: all of them are needed."""

    name: str
    title: Any
    view: str
    permissions: tuple[str, ...]
    key: str = ""


PAGES = (
    PageLink("now", _("Now"), "chroniker_job_now", ("view_job",), "n"),
    PageLink("jobs", _("Jobs"), "chroniker_job_changelist", ("view_job",), "j"),
    PageLink("runs", _("Runs"), "chroniker_run_changelist", ("view_run",), "r"),
    PageLink("timeline", _("Timeline"), "chroniker_job_timeline", ("view_job",), "t"),
    PageLink("graph", _("Graph"), "chroniker_job_graph", ("view_job",)),
    PageLink("fleet", _("Fleet"), "chroniker_host_changelist", ("view_host",), "f"),
    PageLink("reliability", _("Reliability"), "chroniker_run_reliability", ("view_run",)),
)
#: The view that refreshes the bar alone.
PULSE = "chroniker_job_pulse"
#: The page to mark on Django's own pages, by the model.
PAGE_OF_MODEL = {"job": "jobs", "run": "runs", "host": "fleet"}


def bar_context(request: HttpRequest, current: str) -> dict[str, Any]:
    """For the template ``bar.html``. ``current``: the name of the page."""
    may = permission_test(request)
    pages = [
        {"name": page.name, "title": page.title, "url": url, "key": page.key}
        for page in PAGES
        if all(map(may, page.permissions)) and (url := admin_url(page.view))
    ]
    cells = pulse_cells(may)
    # The tick is always shown, the rest if it is not good. The start page has all cells in its content.
    shown = [] if current == "now" else [cell for cell in cells if cell.name == "tick" or cell.tone != "good"]
    return {
        "pages": pages,
        "current": current,
        "now": timezone.now(),
        "cells": cells,
        "attention": count_attention_items(timezone.now()),
        "alarms": [] if current == "now" else [cell for cell in cells if cell.alarm],
        "pulse": shown,
        "pause": pause_notice(may),
    }


def bar_of_admin_page(request: HttpRequest, model: str, live_url: str = "") -> dict[str, Any]:
    """The bar of a page that Django renders: about a model of this app, or the app itself. It refreshes itself.

    ``live_url``: the address for the refresh of the page. Without one, only the bar is refreshed.
    """
    use_site_of(request)
    return {
        **bar_context(request, PAGE_OF_MODEL.get(model, "")),
        "live_url": live_url or live_address(admin_url(PULSE)),
    }


def page_url(request: HttpRequest, name: str) -> str:
    """The address of a page of the bar; empty if the user may not open it, or the site does not have it."""
    use_site_of(request)
    may = permission_test(request)
    found = next(page for page in PAGES if page.name == name)
    return admin_url(found.view) if all(map(may, found.permissions)) else ""


def permission_test(request: HttpRequest) -> Callable[[str], bool]:
    """``has_permission`` of the user who requests this."""
    return partial(has_permission, request.user)
