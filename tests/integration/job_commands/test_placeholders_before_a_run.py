"""Placeholders before a run: validated and previewed in the form, and printed."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from chroniker.models import JobState, Run
from tests.support.command_jobs import a_job_of_new_year
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db(transaction=True)

DAY = '{{ scheduled_for|date:"Y-m-d H:i" }}'
ASKED = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        (
            {"command": "env_dump", "args": '{{ token|date:"Y" }}'},
            "args",
            "the filter “date” can be applied only to a time.",
        ),
        (
            {"command": "", "raw_command": "/bin/{{ job }}"},
            "raw_command",
            "The program cannot contain a placeholder; only its arguments can.",
        ),
        (
            {"command": "env_dump", "environment": 'A={{ scheduled_for|shift:"x" }}'},
            "environment",
            "Line 1: In {{ scheduled_for }}: “x” is not a valid shift; write a number and w, d, h, m or s, "
            "such as -1d.",
        ),
    ],
)
def test_a_wrong_placeholder_is_refused_when_the_job_is_saved(fields: dict[str, str], field: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        a_job(**fields).full_clean()
    assert message in refused.value.message_dict[field][0]


@pytest.mark.parametrize(
    "fields",
    [
        {"args": "{{ scheduld_for }} {{.Names}}"},
        {"args": '{"a": {"b": 1}}'.replace('"', '\\"')},
        {
            "args": '{{ interval_start|default:"begin" }} {{ host }}',
            "environment": "X={{ job }}",
        },
    ],
)
def test_other_braces_are_accepted(fields: dict[str, str]) -> None:
    a_job(command="env_dump", **fields).full_clean()


def preview(admin: Client, **fields: str) -> str:
    query = {"frequency": "CRON", "cron": "0 3 * * *", "timezone": "UTC", "enabled": "1", **fields}
    answer: str = admin.get("/admin/chroniker/job/preview/", query).json()["html"]["edit-preview"]
    return answer


def test_the_form_previews_the_line_for_the_next_scheduled_time(admin: Client) -> None:
    html = preview(admin, command="env_dump", args='--flag {{ scheduled_for|date:"H:i" }} {{ run_id }}')
    assert 'manage.py env_dump <span class="ops-word">--flag</span> 03:00 &#x27;…&#x27;' in html
    assert 'data-part="line"' not in preview(admin, command="env_dump", args="--flag")


def test_the_preview_names_a_missing_value_and_a_word_that_is_nearly_a_placeholder(admin: Client) -> None:
    assert "{{ last_success }} has no value for this run." in preview(
        admin, command="env_dump", args="{{ last_success }}"
    )
    html = preview(admin, command="env_dump", args="{{ scheduld_for }}")
    assert "{{ scheduld_for }} is not a placeholder and stays as it is. Did you mean {{ scheduled_for }}?" in html


def printed(*words: str) -> list[str]:
    out = io.StringIO()
    call_command("run_job", *words, stdout=out, skip_checks=True)
    return out.getvalue().splitlines()


def test_print_shows_the_line_and_the_variables_and_runs_nothing() -> None:
    job = a_job_of_new_year(
        name="report", command="env_dump", args=f"'{DAY}'", environment="A={{ attempt }}", secrets="TOKEN=env:NOT_THERE"
    )
    JobState.objects.filter(pk=job.pk).update(last_success_until=ASKED)
    assert printed("report", "--print", "--for", "2026-03-29T01:00+00:00") == [
        "manage.py env_dump '2026-03-29 01:00'",
        "A=1",
        "CHRONIKER_ATTEMPT=1",
        "CHRONIKER_COVERED_UNTIL=2026-03-29T01:00:00+00:00",
        "CHRONIKER_INTERVAL_START=2026-01-01T00:00:00+00:00",
        f"CHRONIKER_JOB_ID={job.pk}",
        "CHRONIKER_JOB_NAME=report",
        "CHRONIKER_LAST_SUCCESS=2026-03-29T01:00:00+00:00",
        "CHRONIKER_SCHEDULED_FOR=2026-03-29T01:00:00+00:00",
        "CHRONIKER_TIMEZONE=UTC",
        "CHRONIKER_TRIGGER=MANUAL",
        "TOKEN=***",
    ]
    assert not Run.objects.exists()


def test_print_says_why_a_run_would_not_start() -> None:
    a_job_of_new_year(name="report", command="env_dump", args="{{ last_success }}")
    with pytest.raises(CommandError, match=r"“report” would not start\. \{\{ last_success \}\} has no value"):
        printed("report", "--print")
