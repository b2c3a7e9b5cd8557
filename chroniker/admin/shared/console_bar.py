"""The bar of every page: links to the pages of the console that the user may open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chroniker.admin.shared.pulse import pause_notice, pulse_cells
from chroniker.admin.shared.site_links import admin_url, use_site_of


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
#: The page to mark on Django's own pages, by the model.
PAGE_OF_MODEL = {"job": "jobs", "run": "runs", "host": "fleet"}


def bar_context(request: HttpRequest, current: str, opts: Any) -> dict[str, Any]:
    """For the template ``bar.html``. ``current``: the name of the page; without one it follows from the model."""
    use_site_of(request)
    may = permission_test(request)
    pages = [
        {"name": page.name, "title": page.title, "url": url, "key": page.key}
        for page in PAGES
        if all(map(may, page.permissions)) and (url := admin_url(page.view))
    ]
    current = current or PAGE_OF_MODEL.get(getattr(opts, "model_name", None) or "", "")
    return {
        "pages": pages,
        "current": current,
        "now": timezone.now(),
        "cells": pulse_cells(may),
        "pause": pause_notice(may),
    }


def permission_test(request: HttpRequest) -> Callable[[str], bool]:
    """Whether the user has a permission of this app, by its short name. The right to change includes to view."""

    def may(name: str) -> bool:
        also = name.replace("view_", "change_")
        return request.user.has_perm(f"chroniker.{name}") or request.user.has_perm(f"chroniker.{also}")

    return may
