"""The addresses of the console's pages, and that a process without requests loads no page."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from chroniker.admin.jobs import job_admin
from chroniker.admin.runs import run_admin
from chroniker.admin.scheduling import group_admin
from chroniker.admin.shared.page_addresses import PageAddress

PAGES = (*job_admin.PAGE_ADDRESSES, *run_admin.PAGE_ADDRESSES, *group_admin.PAGE_ADDRESSES)
LOADED_PAGES = """
import sys, django
django.setup()
from django.core.checks import run_checks
run_checks()
print(*(name for name in sys.modules if name.startswith("chroniker.admin.") and name.endswith("_page")))
"""
#: The fieldsets of a form; two without a page.
NEEDED = {"chroniker.admin.jobs.job_page", "chroniker.admin.shared.console_page", "chroniker.admin.shared.live_page"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_address_names_a_view(page: PageAddress) -> None:
    assert callable(import_string(f"chroniker.admin.{page.view}"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_without_a_login_a_page_redirects_and_a_json_view_refuses(client: Client, page: PageAddress) -> None:
    pk = [] if "<" not in page.route else [uuid4() if "uuid" in page.route else 1]
    answer = client.get(reverse(f"admin:chroniker_{page.name}", args=pk))
    if page.is_json:
        assert answer.status_code == 403 and answer["Content-Type"] == "application/json"
    else:
        assert answer.status_code == 302 and "/login/" in answer["Location"]


def test_a_process_loads_no_page_before_a_request(subprocess_env: dict[str, str]) -> None:
    words = [sys.executable, "-c", LOADED_PAGES]
    done = subprocess.run(words, env=subprocess_env, capture_output=True, text=True, check=True, timeout=300)
    assert set(done.stdout.split()) <= NEEDED
