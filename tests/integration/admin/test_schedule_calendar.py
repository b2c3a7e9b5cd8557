"""The calendar in the schedule history of a job."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import Run, RunHour, Status
from tests.integration.admin.schedule_histories import MINUTE, a_history, page, rows

DAY = dt.timedelta(days=1)


def test_the_calendar_has_a_cell_for_each_scheduled_time(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.FAILED, Status.SKIPPED)
    context = page(admin, job, d=f"{since + 10 * MINUTE:%Y-%m-%d}", t=f"{since + 10 * MINUTE:%H:%M}").context_data
    cells = [cell for row in context["picture"].rows for cell in row["cells"]]
    assert [cell["tone"] for cell in cells][:3] == ["good", "bad", "idle"]
    assert cells[1]["cross"] and not cells[0]["cross"] and context["picture"].requested_time_frame
    assert reverse("admin:chroniker_run_change", args=[Run.objects.get(token=2).pk]) == cells[1]["url"]
    assert "1 failed" in context["picture_summary"]
    assert len(context["picture"].rows) == 14
    frame, picture = context["picture"].requested_time_frame, context["picture"]
    assert float(picture.scroll_start_share) == pytest.approx(float(frame["x"]) / float(picture.width), abs=0.002)
    assert page(admin, job).content.decode().count("data-start-at") == 1


def test_a_job_with_too_many_scheduled_times_is_shown_by_hours(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED, Status.FAILED, step=1)
    hour = database_now().replace(minute=0, second=0, microsecond=0) - DAY
    RunHour.objects.create(job=job, hour=hour, succeeded=58, failed=2)
    context = page(admin, job).context_data
    (cell,) = [cell for row in context["picture"].rows for cell in row["cells"]]
    assert cell["tone"] == "bad" and "58 succeeded, 2 failed" in cell["say"]
    assert [row[1] for row in rows(admin, job)][-2:] == ["Failed", "Succeeded"]
