"""The preview beside the form of a job: the next scheduled times, and what the edit would cause."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Group, Job, JobState, Run, Status
from chroniker.models.calendar import Blackout, Calendar
from tests.integration.admin.edit_previews import FIELDS, cron_meanings, effects, error, preview, remarks, rows
from tests.support.admin_pages import open_form, url
from tests.support.factories import a_booked_job, a_dependency, a_due_job


def test_a_schedule_is_previewed_before_it_is_saved(admin: Client) -> None:
    html = preview(admin, cron="0 3 * * *", timezone="Europe/Paris")
    assert "<b>at 03:00 every day (Europe/Paris)</b>" in html
    assert len(rows(html)) == 10 and all(row[0].endswith("03:00") for row in rows(html))
    assert "Times are in the time zone Europe/Paris." in html
    assert remarks(preview(admin, cron="59/15 * * * *"))
    assert "the clock" in " ".join(remarks(preview(admin, cron="30 2 * * *", timezone="Europe/Paris")))
    late = {"frequency": "ONCE", "run_at_0": "2020-01-01", "run_at_1": "00:00"}
    assert remarks(preview(admin, None, **late)) == [
        "This time is in the past: the job runs once, as soon as it is saved."
    ]
    assert remarks(preview(admin, a_booked_job(), **late)) == ["No further scheduled times."]
    future = f"{database_now() + dt.timedelta(days=400):%Y-%m-%d}"
    assert len(rows(preview(admin, frequency="ONCE", run_at_0=future, run_at_1="00:00"))) == 1


def test_the_preview_of_an_invalid_schedule_is_its_error(admin: Client) -> None:
    assert "“61”" in error(preview(admin, cron="61 * * * *"))
    assert "Mars/Olympus" in error(preview(admin, timezone="Mars/Olympus", cron="* * * * *"))
    assert error(preview(admin, frequency="ONCE", run_at_0="2020-02-31", run_at_1="00:00")).startswith("Run at: ")
    assert error(preview(admin, frequency="SOMETIMES")).startswith("Frequency: ")
    assert error(preview(admin, cron="1" * 300)) and error(preview(admin, a_booked_job(), jitter_seconds="-1"))
    assert "<b>" not in preview(admin, cron="<b>")


def test_an_edit_is_shown_as_times_before_and_after(admin: Client) -> None:
    job = a_booked_job(cron="0 * * * *")
    html = preview(admin, job, cron="0,30 * * * *")
    assert "instead of every hour (UTC)." in html
    assert {row[2] for row in rows(html)} == {"unchanged", "added"}
    for before, after, change, _others in rows(html):
        assert bool(before) == (change == "unchanged") and after
    dropped = rows(preview(admin, job, cron="0 */2 * * *"))
    assert {row[2] for row in dropped} == {"unchanged", "dropped"}
    unchanged = preview(admin, job, cron="0 * * * *")
    assert "Next scheduled times" in unchanged and {row[1] for row in rows(unchanged)} == {"unchanged"}


def test_the_effects_are_sentences_the_worst_first(admin: Client) -> None:
    group = Group.objects.create(name="imports", limit=1)
    job = a_due_job(minutes=7, cron="* * * * *", group=group, overlap="SKIP")
    JobState.objects.filter(pk=job.pk).update(p50=100.0, p95=200.0, last_status=Status.FAILED)
    a_booked_job(cron="* * * * *", group=group)
    a_dependency(a_booked_job(name="index", cron="0 3 * * *"), job, wait_for_success=True)
    values = {"group": str(group.pk), "overlap": "SKIP"}
    found = effects(preview(admin, job, cron="*/2 * * * *", **values))
    assert [tone for tone, _text, _why in found] == ["wait", "wait", "wait", "good", "idle"]
    texts = [text for _tone, text, _why in found]
    assert re.fullmatch(r"\d+ scheduled times that are due and have not run \(.* … .*\) will be skipped\.", texts[0])
    assert re.fullmatch(r"Up to 360 of 720 scheduled times of a day will be skipped\.", texts[1])
    assert (
        re.fullmatch(r"More runs are due at .* than can start\.", texts[2])
        and "2 jobs of group imports start in the same minute" in found[2][2]
    )
    assert texts[3] == "1 dependant can still start." and found[3][2] == "index"
    assert texts[4] == "720 runs a day instead of 1,440 runs a day; about 20 h of work a day instead of 1 d 16 h."
    stuck = effects(preview(admin, job, frequency="ONCE", run_at_0="2020-01-01", run_at_1="00:00", **values))
    assert stuck[0][:2] == ("bad", "1 dependant would wait for ever.")
    assert "no runs instead of 1,440 runs a day" in stuck[-1][1]


def test_saving_skips_what_the_preview_says(admin: Client) -> None:
    job = a_due_job(minutes=5)
    form = open_form(admin, job) | {"cron": "0 3 * * *"}
    (shown,) = [text for _tone, text, _why in effects(preview(admin, job, cron="0 3 * * *")) if "skipped" in text]
    admin.post(url(job), form)
    lifecycle.book_next_instants([job.pk], database_now())
    skipped = Run.objects.get(job=job, status=Status.SKIPPED)
    assert skipped.scheduled_for is not None and f"{skipped.scheduled_for:%H:%M:%S} …" in shown
    assert skipped.reason == "The schedule was changed."


def test_the_preview_marks_skipped_scheduled_times(admin: Client) -> None:
    tomorrow = (database_now() + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    calendar = Calendar.objects.create(name="holidays")
    day = {"starts_at": tomorrow, "ends_at": tomorrow + dt.timedelta(days=1)}
    Blackout.objects.create(calendar=calendar, name="a <day> off", **day)
    job = a_booked_job(cron="0 12 * * *", timezone="UTC", calendar=calendar)
    mark = "skipped: blackout “a &lt;day&gt; off”"
    assert admin.get(url(job)).content.decode().count(mark) == 1
    for value, marked in ((str(calendar.pk), 1), ("", 0), ("x", 0), ("9" * 30, 0)):
        assert preview(admin, cron="0 12 * * *", calendar=value).count(mark) == marked
    assert preview(admin, job, cron="0 12 * * *").count(mark) == 1  # a form without the field: the saved calendar
    cleared = rows(preview(admin, job, cron="0 12 * * *", calendar=""))
    assert [row[2] for row in cleared].count("added") == 1


def test_a_form_that_is_posted_for_its_preview_is_shown_again_and_saves_nothing(admin: Client) -> None:
    job = a_booked_job(cron="0 3 * * *")
    form = open_form(admin, job) | {"cron": "30 4 * * *", "name": "another name", "_preview": "1"}
    html = admin.post(url(job), form).content.decode()
    assert "at 04:30 every day" in html and 'value="30 4 * * *"' in html and "dropped" in html
    assert "errornote" not in html
    job.refresh_from_db()
    assert (job.cron, job.edited_at) == ("0 3 * * *", None)
    new = open_form(admin) | {"name": "new", "command": "noop", "cron": "5 5 * * *", "_preview": "1"}
    assert "at 05:05 every day" in admin.post(reverse("admin:chroniker_job_add"), new).content.decode()
    assert not Job.objects.filter(name="new").exists()
    wrong = admin.post(url(job), form | {"cron": "61 * * * *"}).content.decode()
    assert "“61”" in wrong


def test_the_form_shows_the_saved_schedule_and_its_fields(admin: Client) -> None:
    job = a_booked_job(cron="*/20 2 * * *", timezone="Asia/Tokyo")
    html = admin.get(url(job)).content.decode()
    assert "Next scheduled times" in html and html.count("02:20</td>") >= 3
    assert "<code>*/20</code>minute: 0, 20, 40" in html and "<code>2</code>hour: 2" in html
    seconds = a_booked_job(cron="*/10 * * * * mon-fri")
    shown = admin.get(url(seconds)).content.decode()
    assert "<code>*/10</code>second: 0, 10, 20 …" in shown and "day of the week: 1, 2, 3 …" in shown
    assert "Enter a schedule" in admin.get(reverse("admin:chroniker_job_add")).content.decode()


@pytest.mark.parametrize(
    ("cron", "meaning"),
    [
        ("*/1 * * * *", "minute: each"),
        ("0 3 * jul *", "month: 7"),
        ("0 3 * * wed", "day of the week: 3"),
        ("0 3 L * *", "day of the month: l"),
        ("0 3 15W * *", "day of the month: 15w"),
        ("0 3 * * sat#2", "day of the week: sat#2"),
        ("0 3 * * L5", "day of the week: l5"),
    ],
)
def test_a_field_is_shown_by_its_values_or_as_written_if_they_say_less(admin: Client, cron: str, meaning: str) -> None:
    assert meaning in cron_meanings(admin, cron)


def test_a_preview_takes_a_constant_number_of_statements(admin: Client) -> None:
    job = a_booked_job()
    later = f"0 {(timezone.now().hour + 12) % 24} * * *"  # in no minute of the preview do other jobs start, too
    preview(admin, job, cron=later)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            preview(admin, job, cron=later)
        return len(captured)

    few = statements()
    for number in range(20):
        a_dependency(a_booked_job(cron=f"*/{number + 1} * * * *"), job, wait_for_success=True)
    assert statements() == few
    with CaptureQueriesContext(connection) as captured:
        preview(admin, job, cron=later)
    ours = [each["sql"] for each in captured if "chroniker_" in each["sql"]]
    assert len(ours) == 3, ours


def test_a_preview_needs_the_right_to_view_jobs(staff: Callable[..., Client]) -> None:
    address = reverse("admin:chroniker_job_preview")
    assert staff().get(address, FIELDS).status_code == 403
    assert staff("view_job").get(address, FIELDS).status_code == 200


@pytest.mark.parametrize("number", ["0", "99999999", "x", "9" * 40])
def test_an_unknown_job_is_no_server_error(admin: Client, number: str) -> None:
    answer = admin.get(reverse("admin:chroniker_job_preview"), {**FIELDS, "cron": "0 3 * * *", "job": number})
    assert answer.status_code == 400


def test_names_are_escaped(admin: Client) -> None:
    job = a_booked_job(name="<b>x</b>")
    a_dependency(a_booked_job(name="<script>y</script>", cron="0 3 * * *"), job, wait_for_next_run=True)
    html = preview(admin, job, cron="0 4 * * *")
    assert "&lt;script&gt;y" in html and "<script>" not in html


@override_settings(TIME_ZONE="Europe/Paris")
def test_the_preview_reads_times_in_the_zone_of_the_job(admin: Client) -> None:
    html = preview(admin, frequency="ONCE", timezone="Asia/Tokyo", run_at_0="2027-03-28", run_at_1="02:30")
    assert "once at 2027-03-28 02:30 (Asia/Tokyo)" in html
    html = preview(admin, frequency="ONCE", timezone="Europe/Paris", run_at_0="2027-03-28", run_at_1="02:30")
    assert error(html).startswith("Run at: ")
