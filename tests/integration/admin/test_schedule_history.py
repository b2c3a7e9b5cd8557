"""The schedule history of a job: the answer to “Did it run at …?”, the calendar, and the table of scheduled times."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.wording.formats import NO_VALUE_TEXT
from tests.integration.admin.schedule_histories import MINUTE, a_history, address, page, rows
from tests.support.factories import a_booked_job


def answer(client: Client, job: Job, date: str, time: str) -> str:
    found = page(client, job, d=date, t=time).context_data["answer"]
    return f"{found.text} {found.note}".strip()


def answer_at(client: Client, job: Job, moment: dt.datetime) -> str:
    return answer(client, job, f"{moment:%Y-%m-%d}", f"{moment:%H:%M}")


def test_each_scheduled_time_is_a_row_with_result_run_start_and_reason(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED, Status.SKIPPED, Status.LOST)
    due, lost, skipped, succeeded = rows(admin, job)[-4:]
    assert due[1:] == ["Due", NO_VALUE_TEXT, NO_VALUE_TEXT, NO_VALUE_TEXT, "It is due; the next tick starts it."]
    assert lost[1:3] == ["Lost", "3"] and lost[4] == "3 s"
    assert skipped[1:] == ["Skipped", NO_VALUE_TEXT, NO_VALUE_TEXT, NO_VALUE_TEXT, "The job was still running."]
    assert succeeded[1:3] == ["Succeeded", "1"]


def test_whether_it_ran_at_a_time_has_an_answer(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.SKIPPED, Status.LOST, Status.FAILED)
    answers = [answer_at(admin, job, since + n * 5 * MINUTE) for n in range(1, 6)]
    assert answers[0].startswith("Yes. The run due at ") and "started on worker-1, 3 s after that time" in answers[0]
    assert "and succeeded after 6 s." in answers[0] and "Next scheduled time: " in answers[0]
    assert answers[1].startswith("No: ") and "was skipped. The job was still running." in answers[1]
    assert answers[2].startswith("Perhaps.") and "The command may have finished." in answers[2]
    assert answers[3].startswith("Yes, but it did not succeed.") and "and failed after 6 s." in answers[3]
    assert answers[4].startswith("Not yet: it has been due since")
    between = answer_at(admin, job, since + 7 * MINUTE)
    assert between.startswith(
        "Nothing was due then. According to the present schedule, the first scheduled time from then on is"
    )
    assert answer(admin, job, "2100-01-01", "03:00").startswith(
        "That time is in the future. According to the present schedule"
    )
    assert answer(admin, job, "2001-01-01", "03:00").startswith("The history of this job does not reach back")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status.CLAIMED, "Not yet: the run due at {} is queued."),
        (Status.STOPPED, "No: the run due at {} was cancelled before it started."),
        (Status.LOST, "No: the run due at {} was lost before it started."),
    ],
)
def test_a_run_that_did_not_start_is_no_yes(admin: Client, status: Status, sentence: str) -> None:
    job, since = a_history(Status.SUCCEEDED)
    finished = None if status == Status.CLAIMED else database_now()
    Run.objects.update(status=status, started_at=None, finished_at=finished)
    pattern = re.escape(sentence).replace(r"\{\}", r"(\w+ )?\d\d:\d\d")
    assert re.match(pattern, answer_at(admin, job, since + 5 * MINUTE))
    assert rows(admin, job)[-1][2:5] == ["1", NO_VALUE_TEXT, NO_VALUE_TEXT]


def test_a_run_that_runs_now_is_the_answer(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED)
    Run.objects.update(status=Status.RUNNING, finished_at=None, nonce=uuid4())
    text = answer_at(admin, job, since + 5 * MINUTE)
    assert text.startswith("It is running now: the run due at ") and "started on worker-1, 3 s after that time." in text


def test_a_time_whose_run_was_deleted_is_unknown(admin: Client) -> None:
    job, since = a_history(*[Status.SUCCEEDED] * 4)
    Run.objects.filter(token__in=[2, 3]).delete()
    assert answer_at(admin, job, since + 10 * MINUTE) == "Unknown: the runs of that time were deleted."
    assert answer_at(admin, job, since + 20 * MINUTE).startswith("Yes.")


def test_times_of_an_earlier_schedule_are_marked_as_computed(admin: Client) -> None:
    job, since = a_history(*[Status.SUCCEEDED] * 3)
    Run.objects.filter(token__gt=1).delete()
    Run.objects.update(covered_until=since + 15 * MINUTE)
    doubt = "The scheduled times are computed from the present schedule, which has changed since then."
    assert doubt not in page(admin, job).content.decode()
    JobState.objects.filter(pk=job.pk).update(last_fingerprint="that of another schedule")
    assert [doubt in answer_at(admin, job, since + n * 5 * MINUTE) for n in (1, 2, 3)] == [False, True, False]
    assert doubt in page(admin, job).content.decode()


def test_a_time_after_the_last_one_of_a_schedule_has_no_next_time(admin: Client) -> None:
    now = database_now().replace(microsecond=0)
    job = a_booked_job(cron="", frequency="ONCE", run_at=now)
    found = answer_at(admin, job, now + 60 * MINUTE)
    assert found == "That time is in the future. Nothing is scheduled from then on."
    Job.objects.filter(pk=job.pk).update(timezone="Nowhere/Land")
    assert answer_at(admin, job, now + 60 * MINUTE) == "That time is in the future."


def test_a_run_that_covers_several_times_is_the_answer_for_each(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.SUCCEEDED)
    Run.objects.filter(token=2).delete()
    Run.objects.update(covered_until=since + 10 * MINUTE, started_at=since + 11 * MINUTE)
    first, last = (answer_at(admin, job, since + n * 5 * MINUTE) for n in (1, 2))
    assert "was merged with later times up to" in first and "and succeeded after" in first
    assert last.startswith("Yes. The run due at")
    merged = rows(admin, job)[-1]
    assert " to " in merged[0] and merged[5] == "2 scheduled times merged into one run."


def test_a_time_is_read_and_shown_in_the_job_s_time_zone(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED, timezone="Asia/Kolkata")
    Run.objects.update(scheduled_for="2026-01-05T02:00Z", covered_until="2026-01-05T02:00Z")
    assert answer(admin, job, "2026-01-05", "07:30").startswith(("Yes. The run due at", "Yes, but"))
    assert "07:30" in answer(admin, job, "2026-01-05", "07:30")
    assert not answer(admin, job, "2026-01-05", "02:00").startswith("Yes")
    assert "Times are in the time zone Asia/Kolkata." in page(admin, job).content.decode()


def test_a_day_with_a_clock_change_says_its_hours_and_its_missing_and_repeated_time(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED, timezone="Europe/Berlin", cron="30 * * * *")
    html = page(admin, job, to="2026-03-30").content.decode()
    assert "Sun 29 Mar: 23 h: the clock changes" in html
    assert "Sun 25 Oct: 25 h: the clock changes" in page(admin, job, to="2026-10-26").content.decode()
    assert answer(admin, job, "2026-03-29", "02:30") == "The clock skipped this time on that day."
    for token, moment in enumerate(("2026-10-25T00:30Z", "2026-10-25T01:30Z"), 7):
        Run.objects.all().delete()
        Run.objects.create(
            job=job, token=token, status=Status.SUCCEEDED, trigger=Trigger.SCHEDULE, scheduled_for=moment,
            covered_until=moment, claimed_at=moment, started_at=moment, finished_at=moment,
        )  # fmt: skip
        assert answer(admin, job, "2026-10-25", "02:30").startswith("Yes.")


def test_the_result_is_that_of_the_last_attempt_and_names_the_first(admin: Client) -> None:
    job, since = a_history(Status.FAILED)
    moment = since + 5 * MINUTE
    times = {"claimed_at": moment, "started_at": moment, "finished_at": moment}
    values = {"trigger": Trigger.RETRY, "attempt": 2, "chain": 1, **times}
    Run.objects.create(job=job, token=2, status=Status.SUCCEEDED, **values)
    row = rows(admin, job)[-1]
    assert (
        row[1:3] == ["Succeeded", "1 , 2"]
        and row[5] == "This is the result of attempt 2. Result of the first attempt: failed."
    )
    assert answer_at(admin, job, moment).startswith("Yes. The run due at")
    assert "was repeated. Attempt 2" in answer_at(admin, job, moment)
    Run.objects.filter(token=1).update(reason_text="it exited with status 1", code="")
    (cell,) = [cell for row in page(admin, job).context_data["picture"].rows for cell in row["cells"] if cell["url"]]
    assert "succeeded" in cell["say"] and "status 1" not in cell["say"]


def test_older_scheduled_times_are_on_a_linked_page(admin: Client) -> None:
    job, _since = a_history(*[Status.SUCCEEDED] * 60)
    seen, link, pages = set[str](), address(job), 0
    while link and pages < 9:
        response: Any = admin.get(link)
        found = re.findall(r'<th scope="row" class="name">(.*?)</th>', response.content.decode())
        assert not seen & set(found)
        seen |= set(found)
        pages += 1
        link = (
            response.context_data["older_link"]
            and reverse("admin:chroniker_job_schedule", args=[job.pk]) + (response.context_data["older_link"])
        )
    assert pages == 3 and 60 <= len(seen) <= 63


def test_only_those_that_did_not_succeed(admin: Client) -> None:
    job, _since = a_history(Status.FAILED, Status.SUCCEEDED, Status.SKIPPED, Status.SUCCEEDED)
    assert [row[1] for row in rows(admin, job, only="bad")][-2:] == ["Skipped", "Failed"]
    assert "Succeeded" not in {row[1] for row in rows(admin, job, only="bad")}


@pytest.mark.parametrize(
    "query",
    [
        "d=nonsense&t=03:00", "d=2026-13-45&t=99:99", "d=&t=", "before=x&to=x", "d=9999-12-31&t=23:59",
        "before=0001-01-01T00:00:00%2B00:00", "before=0001-01-01T00:00:00%2B14:00", "before=9999-12-31T23:59:59-14:00",
        "d=0001-01-01&t=00:00", "to=0001-01-01", "to=9999-12-31", "d=2026-01-01&t=03:00%2B01:00", "before=2026-01-01",
    ],
)  # fmt: skip
def test_invalid_parameters_are_not_a_server_error(admin: Client, query: str) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    dense, _since = a_history(Status.SUCCEEDED, step=1)
    assert [admin.get(f"{address(each)}?{query}").status_code for each in (job, dense)] == [200, 200]
    assert "Enter a date and a time" in page(admin, job, d="nonsense", t="03:00").content.decode()


def test_a_job_with_an_invalid_schedule_shows_its_stored_history(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    Job.objects.filter(pk=job.pk).update(cron="nonsense", timezone="Nowhere/Land")
    lifecycle.book_next_instants([job.pk], database_now())
    assert rows(admin, job)[-1][1] == "Succeeded"


def test_names_and_reasons_are_escaped(admin: Client) -> None:
    job, _since = a_history(Status.SKIPPED, name="<script>alert(1)</script>")
    Run.objects.update(reason_text="<img src=x onerror=alert(2)>", code="")
    html = page(admin, job).content.decode()
    assert "<script>alert" not in html and "<img src=x" not in html


def test_values_of_secrets_are_not_shown(admin: Client) -> None:
    job, _since = a_history(Status.FAILED, Status.SUCCEEDED, secrets="KEY=setting:A_KEY")
    Run.objects.update(reason_text="refused: s3cret-value", code="")
    failed = Run.objects.get(token=1).scheduled_for
    assert failed is not None
    with override_settings(A_KEY="s3cret-value"):
        html = page(admin, job, d=f"{failed:%Y-%m-%d}", t=f"{failed:%H:%M}").content.decode()
    assert "s3cret-value" not in html
    assert html.lower().count("refused: ••••••") == 1 + 2 + 1  # row of the failure, cells of the picture, answer


def test_the_page_takes_the_same_statements_for_any_number_of_rows(admin: Client) -> None:
    few, _ = a_history(*[Status.SUCCEEDED, Status.FAILED] * 2)
    many, _ = a_history(*[Status.SUCCEEDED, Status.FAILED] * 60)
    dense, _ = a_history(*[Status.SUCCEEDED, Status.FAILED] * 60, step=1)
    admin.get(address(few))

    def statements(address: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(address).status_code == 200
        return [each["sql"] for each in captured]

    assert len(statements(address(few))) == len(statements(address(many)))
    of_runs = [sql for sql in statements(address(many)) if 'FROM "chroniker_run" WHERE' in sql.replace("`", '"')]
    assert len(of_runs) == 3
    assert len(statements(address(dense))) == len(statements(address(many))) + 1


def test_the_page_needs_the_right_to_view_jobs_and_runs(staff: Callable[..., Client]) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    expected = {("view_job", "view_run"): 200, ("view_run",): 403, ("view_job",): 403, (): 403}
    assert {rights: staff(*rights).get(address(job)).status_code for rights in expected} == expected
