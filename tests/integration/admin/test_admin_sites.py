"""Admin sites that have only some of the models: every page works, and no link leads to a page that is not there."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path

from tests.integration.admin.sample_pages import MODELS, addresses, one_of_each

pytestmark = pytest.mark.urls(__name__)

SITES = {**{f"only_{name}": (name,) for name in MODELS}, "ops": ("job", "run")}


def a_site(name: str, models: tuple[str, ...]) -> admin.AdminSite:
    site = admin.AdminSite(name)
    for model in models:
        site.register(MODELS[model], type(admin.site.get_model_admin(MODELS[model])))
    return site


urlpatterns = [path("admin/", admin.site.urls)]
urlpatterns += [path(f"{name}/", a_site(name, models).urls) for name, models in SITES.items()]


@pytest.mark.parametrize("site", ["admin", *SITES])
def test_every_page_works_and_its_links_stay_on_the_site(admin: Client, site: str) -> None:
    rows = one_of_each()
    for name in SITES.get(site, tuple(MODELS)):
        for address in addresses(site, name, rows[name]):
            response = admin.get(address)
            expected = (200, 403) if site != "only_monitor" else (200, 403, 404)  # jobs are edited on their own page
            assert response.status_code in (*expected, 302), address
            if response.status_code == 200 and not response.streaming:
                html = response.content.decode()
                links = re.findall(r'(?:href|action|data-url|data-live-url|data-output-url)="(/[^"]*)"', html)
                elsewhere = [link for link in links if "/chroniker/" in link and not link.startswith(f"/{site}/")]
                assert [link for link in elsewhere if not link.startswith("/static/")] == [], address


def test_after_a_stop_the_browser_stays_on_the_site(admin: Client) -> None:
    rows = one_of_each()
    for address in (f"job/{rows['job'].pk}/run/", f"job/{rows['job'].pk}/stop/", f"run/{rows['run'].pk}/stop/"):
        response = admin.post(f"/ops/chroniker/{address}")
        assert response.status_code == 302 and response["Location"].startswith("/ops/"), address
