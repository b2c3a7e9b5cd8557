from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from chroniker.models import Job
from tests.support.factories import a_job

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.celery

pytest.importorskip("celery")
from tests import celeryapp  # noqa: E402, F401  the app of this process, as a project's package imports its own

ADD = "/admin/chroniker/job/add/"


def test_a_celery_task_is_picked_and_saved(open_page: Callable[..., Page], complaints: list[str]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    page.get_by_label("Name:").fill("yearly report")
    page.locator("#id_cron").fill("0 4 1 1 *")
    page.get_by_role("group", name="What does it run?").get_by_label("Celery task").check()
    expect(page.locator("#id_command")).to_be_hidden()
    expect(page.locator("#id_raw_command")).to_be_hidden()
    name = page.locator("#pick-run_celery_task-name")
    expect(page.locator("#pick-run_celery_task-offers option[value='testapp.takes']")).to_have_count(1)
    name.fill("testapp.takes")
    help_text = page.locator("#pick-run_celery_task-help")
    expect(help_text).to_have_text("(year, *, full=False) Take arguments.")
    page.get_by_label("Keyword arguments:").fill("""{"full": "it's"}""")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-args .errorlist")).to_contain_text("missing 1 required positional argument")
    expect(page.get_by_label("Keyword arguments:")).to_have_value("""{"full": "it's"}""")
    page.get_by_label("Positional arguments:").fill("[2026]")
    page.get_by_label("Other options:").fill("--retry-inline")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    job = Job.objects.get()
    assert (job.command, job.raw_command) == ("run_celery_task", "")
    words = ["testapp.takes", "--args", "[2026]", "--kwargs", """{"full": "it's"}""", "--retry-inline"]
    assert shlex.split(job.args) == words
    assert [message for message in complaints if "404" not in message] == []


def test_a_task_of_a_job_is_shown_and_the_other_kinds_keep_their_fields(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    args = shlex.join(["testapp.takes", "--args", json.dumps([2026]), "--send", "--queue=two words"])
    job = a_job(command="run_celery_task", args=args)
    page = open_page(f"/admin/chroniker/job/{job.pk}/change/")
    kinds = page.get_by_role("group", name="What does it run?")
    expect(kinds.get_by_label("Celery task")).to_be_checked()
    expect(page.locator("#pick-run_celery_task-name")).to_have_value("testapp.takes")
    expect(page.get_by_label("Other options:")).to_have_value("--send '--queue=two words'")
    kinds.get_by_label("Program").check()
    page.locator("#id_raw_command").fill("ls -l")
    expect(page.locator("#id_command")).to_be_hidden()
    kinds.get_by_label("Management command").check()
    page.get_by_role("combobox", name="Command:").fill("noop")
    expect(page.locator("#id_raw_command")).to_have_value("")
    kinds.get_by_label("Program").check()
    expect(page.locator("#id_raw_command")).to_have_value("ls -l")
    kinds.get_by_label("Celery task").check()
    expect(page.locator("#id_command")).to_have_value("run_celery_task")
    assert shlex.split(page.locator("#id_args").input_value()) == shlex.split(args)


def test_a_form_without_javascript_has_the_plain_fields(open_page: Callable[..., Page]) -> None:
    page = open_page(ADD, java_script_enabled=False)
    assert page.locator("#id_command").is_visible() and page.locator("#id_raw_command").is_visible()
    assert page.get_by_text("What does it run?").count() == 0
