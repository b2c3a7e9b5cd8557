"""What a page offers is not refused: each link and button, for users with few rights and on sites with few models."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.db import transaction
from django.test import Client

from tests.integration.admin.sample_pages import MODELS, addresses, one_of_each
from tests.integration.admin.test_admin_sites import SITES

pytestmark = [pytest.mark.urls("tests.integration.admin.test_admin_sites"), pytest.mark.before_merge]

LINK = re.compile(r'\shref="([^"#][^"]*)"')
BUTTON = re.compile(r'\sformaction="([^"]+)"')
LIST_ACTION = re.compile(r'<option value="(\w+)">|<button[^>]* name="action" value="(\w+)"')
ROW = re.compile(r'<input[^>]*name="_selected_action"[^>]*>')
#: Django links a read-only foreign key, and the pages above a deletion, without a look at permissions.
OF_DJANGO = re.compile(r"/job/\d+/(change/: .*/(calendar|group)/\d+/change/|delete/: )")

VIEW = tuple(f"view_{name}" for name in MODELS if name != "monitor")
PEOPLE: dict[str, tuple[str, ...]] = {
    "views jobs only": ("view_job",),
    "changes jobs only": ("change_job",),
    "adds jobs only": ("add_job",),
    "deletes jobs only": ("delete_job",),
    "adds and views jobs": ("add_job", "view_job"),
    "deletes and views jobs": ("delete_job", "view_job"),
    "views runs only": ("view_run",),
    "views jobs and runs": ("view_job", "view_run"),
    "runs jobs": ("view_job", "run_job"),
    "runs jobs that it cannot view": ("view_run", "run_job"),
    "runs and changes jobs": ("view_run", "run_job", "change_job"),
    "stops jobs": ("view_job", "stop_job"),
    "stops runs": ("view_run", "stop_job"),
    "pauses": ("view_job", "view_group", "pause_jobs"),
    "pauses only": ("pause_jobs",),
    "views hosts only": ("view_host",),
    "views hosts and runs": ("view_host", "view_run"),
    "views messages only": ("view_outbox",),
    "sends messages": ("change_outbox",),
    "views alerts only": ("view_alert",),
    "mutes only": ("add_alertmute",),
    "mutes alerts": ("view_alert", "add_alertmute"),
    "views monitors": ("view_job", "view_monitor"),
    "views monitors only": ("view_monitor",),
    "changes groups only": ("change_group",),
    "changes calendars only": ("change_calendar",),
    "changes channels only": ("change_channel",),
    "deletes channels": ("view_channel", "delete_channel"),
    "views everything": VIEW,
    "changes everything": tuple(f"change_{name}" for name in MODELS if name not in ("monitor", "alert", "run", "host")),
    "runs and stops everything": (*VIEW, "run_job", "stop_job"),
}
#: Those with little, with much, and with what differs most between pages. The others are tried at night.
PEOPLE_BEFORE_MERGE = {
    "views jobs only",
    "runs jobs that it cannot view",
    "runs and changes jobs",
    "views runs only",
    "pauses only",
    "mutes only",
    "views monitors only",
    "sends messages",
    "changes everything",
    "runs and stops everything",
}


def offers(client: Client, site: str) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """The page, the address, and what a button sends; ``None`` for a link."""
    rows = one_of_each()
    for name in SITES.get(site, tuple(MODELS)):
        for page in addresses(site, name, rows[name]):
            response: Any = client.get(page)
            if response.status_code != 200 or response.streaming:
                continue
            html = response.content.decode().replace("&amp;", "&")
            for link in LINK.findall(html):
                yield page, page.split("?")[0] + link if link.startswith("?") else link, None
            for button in BUTTON.findall(html):
                yield page, button, {}
            chosen = re.findall(r'value="([^"]+)"', " ".join(ROW.findall(html)))
            for names in LIST_ACTION.findall(html) if chosen else ():
                yield page, page, {"action": "".join(names), "_selected_action": chosen}


def kind_of_offer(address: str, data: dict[str, Any] | None) -> tuple[str, tuple[str, ...], str]:
    """What permissions may depend on: the page, the names of its parameters, what is sent. Not a parameter's value."""
    path, _, query = address.partition("?")
    return path, tuple(sorted(parse_qs(query, keep_blank_values=True))), str(data)


def refused(client: Client, site: str) -> list[str]:
    """The offers of all pages that are answered with an error. Links come first: a button changes rows."""
    found = {kind_of_offer(address, data): (page, address, data) for page, address, data in offers(client, site)}
    return [
        f"{page}: {address} {data}"
        for page, address, data in sorted(found.values(), key=lambda offer: offer[2] is not None)
        if "/chroniker/" in address and not address.startswith("/static/")
        if not OF_DJANGO.search(f"{page}: {address}") and answer(client, address, data) not in (200, 302)
    ]


def answer(client: Client, address: str, data: dict[str, Any] | None) -> int:
    if data is None:
        return client.get(address).status_code
    with transaction.atomic():
        status = client.post(address, data).status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.parametrize(
    "person", [pytest.param(name, marks=() if name in PEOPLE_BEFORE_MERGE else pytest.mark.nightly) for name in PEOPLE]
)
def test_no_page_offers_what_is_refused(staff: Callable[..., Client], person: str) -> None:
    assert refused(staff(*PEOPLE[person]), "admin") == []


@pytest.mark.parametrize("site", SITES)
def test_no_site_with_few_models_offers_what_it_does_not_have(admin: Client, site: str) -> None:
    assert refused(admin, site) == []
