"""The absolute addresses of pages in messages, by the settings of the project."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sites.models import Site
from django.test import override_settings

from chroniker.outbox import admin_links

pytestmark = pytest.mark.django_db

PAGE = "/admin/chroniker/job/7/status/"


@pytest.mark.parametrize(
    ("domain", "secure", "link"),
    [
        ("shop.example", {}, f"http://shop.example{PAGE}"),
        ("shop.example", {"SECURE_SSL_REDIRECT": True}, f"https://shop.example{PAGE}"),
        ("shop.example", {"SESSION_COOKIE_SECURE": True}, f"https://shop.example{PAGE}"),
        ("https://shop.example/", {}, f"https://shop.example{PAGE}"),
        ("http://shop.example", {"SECURE_SSL_REDIRECT": True}, f"http://shop.example{PAGE}"),
    ],
)
def test_the_domain_of_the_site_may_have_a_scheme(domain: str, secure: dict[str, bool], link: str) -> None:
    Site.objects.update(domain=domain)
    Site.objects.clear_cache()
    with override_settings(**secure):
        assert admin_links.job_link(7) == link


def test_without_a_site_there_is_no_link(settings: Any) -> None:
    settings.SITE_ID = 99
    assert admin_links.job_link(7) == "" and admin_links.absolute_url("/x") == "/x"
    del settings.SITE_ID
    assert admin_links.job_link(7) == "" and admin_links.absolute_url("/x") == "/x"


@override_settings(CHRONIKER_BASE_URL="https://shop.example/")
def test_without_the_admin_there_is_no_link_to_its_pages() -> None:
    assert admin_links.job_link(7) == f"https://shop.example{PAGE}"
    with override_settings(ROOT_URLCONF="chroniker.urls"):
        assert admin_links.job_link(7) == "" and admin_links.absolute_url("/x") == "https://shop.example/x"
