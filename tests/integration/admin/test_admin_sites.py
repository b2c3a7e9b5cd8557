"""Admin sites that have only some of the models: every page works, and no link leads to a page that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client, override_settings
from django.urls import path, set_script_prefix

from tests.integration.admin.sample_pages import MODELS, addresses, one_of_each

pytestmark = pytest.mark.urls(__name__)

LINKS = re.compile(r'(?:href|action|formaction|data-url|data-live-url|data-output-url)="(/[^"]*)"')
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
                links = LINKS.findall(html)
                elsewhere = [link for link in links if "/chroniker/" in link and not link.startswith(f"/{site}/")]
                assert [link for link in elsewhere if not link.startswith("/static/")] == [], address


def test_after_a_stop_the_browser_stays_on_the_site(admin: Client) -> None:
    rows = one_of_each()
    for address in (f"job/{rows['job'].pk}/run/", f"job/{rows['job'].pk}/stop/", f"run/{rows['run'].pk}/stop/"):
        response = admin.post(f"/ops/chroniker/{address}")
        assert response.status_code == 302 and response["Location"].startswith("/ops/"), address


@pytest.fixture
def prefix() -> Iterator[str]:
    """The project is below a path of its server. Django's test client does not set this for ``reverse``."""
    with override_settings(FORCE_SCRIPT_NAME="/tools"):
        yield "/tools/"
    set_script_prefix("/")


@pytest.mark.parametrize("name", MODELS)
def test_every_link_has_the_prefix_of_the_project(admin: Client, prefix: str, name: str) -> None:
    pages = addresses("admin", name, one_of_each()[name])
    set_script_prefix(prefix)
    for address in pages:
        response = admin.get(address)
        if response.status_code == 302:
            assert response["Location"].startswith(prefix), address
        elif response.status_code == 200 and not response.streaming:
            links = LINKS.findall(response.content.decode())
            allowed = (prefix, "/static/")  # and "View site", without its last slash
            assert {link for link in links if not link.startswith(allowed)} <= {"/tools"}, address
