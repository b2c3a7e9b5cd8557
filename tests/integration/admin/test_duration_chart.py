from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

from django.test import Client, override_settings

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState, Run, Status, Trigger
from tests.support.admin_pages import url
from tests.support.factories import a_booked_job


def a_history(*runs: tuple[Status, float | None]) -> Job:
    """A job with runs of these statuses and durations in seconds; ``None`` for a run that never started."""
    job, now = a_booked_job(cron="0 0 1 1 *"), database_now()
    for token, (status, seconds) in enumerate(runs, 1):
        began = None if seconds is None else now - dt.timedelta(seconds=seconds)
        Run.objects.create(
            job=job, token=token, status=status, trigger=Trigger.MANUAL, claimed_at=now, started_at=began,
            finished_at=now,
        )  # fmt: skip
    JobState.objects.filter(pk=job.pk).update(last_token=len(runs))
    return job


def drawn(client: Client, job: Job) -> list[tuple[str, str, float]]:
    """Each bar's kind, its title, and its height."""
    html = client.get(url(job)).content.decode()
    found = re.findall(r'data-kind="(\w+)"><title>(.*?)</title><rect [^>]*height="([\d.]+)"', html)
    return [(kind, title, float(height)) for kind, title, height in found]


def test_each_run_that_started_is_a_bar_as_high_as_it_was_long(admin: Client) -> None:
    job = a_history((Status.SUCCEEDED, 30), (Status.SKIPPED, None), (Status.FAILED, 60), (Status.SUCCEEDED, 0))
    bars = drawn(admin, job)
    assert [kind for kind, _, _ in bars] == ["succeeded", "failed", "succeeded"]
    assert [height for _, _, height in bars] == [53.0, 106.0, 2.0]
    assert bars[1][1].startswith("Run 3, ") and bars[1][1].endswith(": failed, 1 min 0 s")


def test_the_table_has_the_same_data_as_the_bars(admin: Client) -> None:
    html = admin.get(url(a_history((Status.SUCCEEDED, 30), (Status.TIMED_OUT, 60)))).content.decode()
    table = html[html.index("Show as a table") :]
    for cell in ("#1</a>", "#2</a>", "<td>timed out</td>", "<td>30.0 s</td>", "<td>1 min 0 s</td>"):
        assert cell in table


def test_every_result_has_a_sign_beside_its_colour(admin: Client) -> None:
    ends = [Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED, Status.LOST]
    html = admin.get(url(a_history(*((end, 10) for end in ends)))).content.decode()
    legend = dict(re.findall(r'<li data-kind="(\w+)"><span>(.*?)</span>', html))
    assert set(legend) == {end.lower() for end in ends}
    assert len(set(legend.values())) == len(ends)


def test_the_chart_has_the_latest_fifty_runs(admin: Client) -> None:
    bars = drawn(admin, a_history(*[(Status.SUCCEEDED, 10)] * 60))
    assert len(bars) == 50
    assert bars[0][1].startswith("Run 11,") and bars[-1][1].startswith("Run 60,")


def test_the_usual_duration_is_a_line_and_a_sentence(admin: Client) -> None:
    html = admin.get(url(a_history((Status.SUCCEEDED, 60), (Status.FAILED, 120)))).content.decode()
    assert "the usual duration of successful runs: 1 min 0 s." in html
    assert re.search(r'<line [^>]*y1="67" y2="67"', html)


def test_a_job_without_runs_has_a_text_instead_of_a_chart(admin: Client) -> None:
    html = admin.get(url(a_history((Status.SKIPPED, None)))).content.decode()
    assert "No run has started yet" in html
    assert "chroniker-chart" not in html


def test_the_chart_needs_the_right_to_view_runs(staff: Callable[..., Client]) -> None:
    html = staff("view_job").get(url(a_history((Status.SUCCEEDED, 60)))).content.decode()
    assert "chroniker-chart" not in html and "Durations" not in html


def test_numbers_of_the_drawing_are_the_same_in_every_language(admin: Client) -> None:
    job = a_history((Status.SUCCEEDED, 31), (Status.FAILED, 60))
    with override_settings(LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True):
        admin.cookies["django_language"] = "de"
        html = admin.get(url(job)).content.decode()
    assert not re.search(r' (x|y|height|y1)="\d+,', html)
