"""The page Runs of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chroniker.models import Run, Status
from tests.support.factories import a_booked_job
from tests.support.run_history import ended

NEW_YEAR = "0 0 1 1 *"


def test_the_runs_of_a_job_continue_after_a_token(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from chroniker.admin.jobs import runs_page

    monkeypatch.setattr(runs_page, "ROWS_PER_PAGE", 2)
    job = a_booked_job(cron=NEW_YEAR)
    ended(job, 3, 2, 1)
    ended(job, 0.5, status=Status.FAILED)
    base, found = reverse("admin:chroniker_job_runs", args=[job.pk]), []
    query = ""
    for _ in range(2):
        page: Any = admin.get(f"{base}?{query}")
        found.append([row.run.token for row in page.context_data["rows"]])
        query = page.context_data["older"]
    assert found == [[4, 3], [2, 1]] and query == ""
    failed: Any = admin.get(f"{base}?status=FAILED")
    assert [row.run.token for row in failed.context_data["rows"]] == [4]
    assert "No run matches." in admin.get(f"{base}?status=LOST").content.decode()
    assert admin.get(f"{base}?before=x&status=x").status_code == 200


def test_a_closed_run_of_a_job_can_be_run_again_from_its_row(admin: Client, staff: Callable[..., Client]) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    ended(job, 3)
    page = reverse("admin:chroniker_job_runs", args=[job.pk])
    again = reverse("admin:chroniker_run_again", args=[Run.objects.get().pk])
    assert f'formaction="{again}"' in admin.get(page).content.decode()
    assert admin.post(again).status_code == 302
    assert Run.objects.filter(status=Status.CLAIMED).exists()
    html = admin.get(page).content.decode()
    assert html.count("/again/") == 1, "the open run has none"
    assert "/again/" not in staff("view_job", "view_run").get(page).content.decode()
