"""The command ``check_monitor``, and the jobs that run it."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

import chroniker
from chroniker import monitors, outbox
from chroniker.models import Job, LogChunk, Monitor, Run, Status, Stream
from tests.support.command_jobs import a_job_of_new_year, a_monitor, an_inline_run_of, the_run
from tests.support.declared_app import Shop
from tests.support.factories import a_booked_job, a_job
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

A_NUMBER = 7


def check(*words: str, **options: Any) -> tuple[int, str]:
    """The exit status and the complete output."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command("check_monitor", *words, stdout=out, stderr=err, **options)
    except SystemExit as end:
        status = int(str(end.code))
    except CommandError as error:
        return error.returncode, str(error)
    assert not (out.getvalue() and err.getvalue())
    return status, out.getvalue() + err.getvalue()


def users(*names: str, **fields: Any) -> None:
    for name in names:
        User.objects.create(username=name, **fields)


def late_users() -> Any:
    """A monitor command as a project would write it."""
    return User.objects.filter(username__startswith="late")


def how_many() -> int:
    return 7


def names() -> Any:
    yield from ("one", "two", "three")


def nothing() -> None:
    return None


def output(run: Run) -> str:
    return "".join(LogChunk.objects.filter(run=run).exclude(stream=Stream.REMARK).values_list("text", flat=True))


# -- check_monitor ---------------------------------------------------------------------------------------------


def test_check_monitor_fails_if_records_match() -> None:
    users("late anna", "late bert", "carl")
    status, printed = check("--model", "auth.User", "--filter", "username__startswith=late")
    assert status == 1
    assert printed.splitlines()[0] == "2 records need attention."
    assert "late anna" in printed and "late bert" in printed and "carl" not in printed
    assert check("--model", "auth.User", "--filter", "username__startswith=early")[0] == 0


def test_check_monitor_calls_a_function() -> None:
    users("late anna", "carl")
    for function, count in (("late_users", 1), ("how_many", 7), ("names", 3)):
        status, printed = check(f"{__name__}.{function}")
        assert (status, printed.splitlines()[0].split(" ")[0]) == (1, str(count))
    User.objects.all().delete()
    assert check(f"{__name__}.late_users") == (0, "No record needs attention.\n")


def test_the_option_query_is_refused_where_raw_commands_are_disabled() -> None:
    users("late anna")
    words = (
        "--imports=django.contrib.auth.models,User|datetime",
        "--query=User.objects.filter(date_joined__year__gt=1)",
    )
    assert check(*words)[0] == 1
    with override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True):
        status, printed = check(*words)
        assert status == 2 and "CHRONIKER_DISABLE_RAW_COMMAND" in printed
        with pytest.raises(ValidationError, match="CHRONIKER_DISABLE_RAW_COMMAND"):
            a_job(command="check_monitor", args=f"'{words[0]}' '{words[1]}'").full_clean()


def test_check_monitor_accepts_relative_dates() -> None:
    users("old", last_login=timezone.now() - dt.timedelta(days=8))
    users("new", last_login=timezone.now() - dt.timedelta(days=6))
    for value in ("now-7d", "now-7", "now-1w", "today-7", '{% now_offset "Y-m-d H:i:s" -7 %}', "now-168h"):
        status, printed = check("--model", "auth.User", "--filter", f"last_login__lt={value}")
        assert (status, "old" in printed, "new" in printed) == (1, True, False), value


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--model", "auth.User", "--filter", "usernam=x"], "“usernam”. Did you mean “username”?"),
        (["--model", "auth.User", "--filter", "is_staff=maybe"], "is_staff: “maybe” is neither true nor false"),
        (["--model", "auth.User", "--filter", "last_login__lt=soon"], "last_login__lt: “soon” is not a date"),
        (["--model", "auth.Usr"], "Did you mean “auth.User”?"),
        (
            ["--model", "chroniker.Run", "--filter", "status=FAILD"],
            "is not one of the choices of this field: CLAIMED, RUNNING",
        ),
        ([], "Give either --model"),
        ([f"{__name__}.nothing"], "a queryset, a number (0 or more), or an iterable"),
        ([f"{__name__}.missing"], "missing” could not be imported: "),
        ([f"{__name__}.A_NUMBER"], "A_NUMBER” is not a function: its type is int."),
        ([f"{__name__}.how_many", "--filter", "a=b"], "--filter and --exclude need --model."),
        ([f"{__name__}.how_many", "--exclude", "a=b"], "--filter and --exclude need --model."),
        ([f"{__name__}.how_many", "--imports", "os"], "--imports needs --query."),
        (["--model", "auth.User", "--show", "-1"], "--show -1: give a number of records, 0 or more."),
        (
            ["--query", "1", "--imports", "os,path,p,q"],
            "“os,path,p,q” in --imports must have the form MODULE or MODULE,NAME or",
        ),
        (["--query", "1", "--imports", ",path"], "“,path” in --imports must have the form MODULE or MODULE,NAME or"),
        (["--query", "1", "--imports", "no_such_module"], "--imports: No module named 'no_such_module'."),
        (["--query", "1", "--imports", "os,no_name"], "--imports: No module named 'os.no_name'"),
    ],
)
def test_check_monitor_explains_invalid_arguments(words: list[str], named: str) -> None:
    status, printed = check(*words)
    assert status == 2 and named in printed


def test_a_failed_monitor_stores_the_count_in_its_run(manage: Manage) -> None:
    users("late anna", "late bert")
    words = "--model auth.User --filter username__startswith=late"
    job = a_job_of_new_year(command="check_monitor", args=words, is_monitor=True)
    assert manage("run_job", job.name).returncode == 1
    found = the_run(job)
    assert (found.status, found.exit_code, found.attention_count) == (Status.FAILED, 1, 2)
    User.objects.all().delete()
    assert manage("run_job", job.name).returncode == 0
    fine = Run.objects.get(job=job, token=2)
    assert (fine.status, fine.attention_count) == (Status.SUCCEEDED, 0)


def test_project_warnings_are_not_in_the_output(manage: Manage) -> None:
    done = manage.having(CHRONIKER_XYZZY=1)("check_monitor", "--model", "auth.User")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No record needs attention.\n", "")


def test_the_error_template_replaces_the_output() -> None:
    users("late anna", "late bert")
    job = a_booked_job(
        name="Late people",
        command="check_monitor",
        args="--model auth.User --filter username__startswith=late --show 1",
        is_monitor=True,
        monitor_url='/admin/auth/user/?date_joined__lt={% now_offset "Y" -400 %}',
        monitor_description="They must be called.",
        monitor_error_template="{{ job.name }}: {{ count }}!\n{{ url }}\n{{ description }}\n{{ stderr }}",
    )
    with override_settings(CHRONIKER_BASE_URL="https://shop.example/"):
        run = an_inline_run_of(job)
    year = (timezone.localtime() - dt.timedelta(days=400)).year
    lines = output(run).splitlines()
    assert lines[0] == "Late people: 2!"
    assert lines[1] == f"https://shop.example/admin/auth/user/?date_joined__lt={year}"
    assert lines[2:4] == ["They must be called.", "2 records need attention."]
    assert "late anna" in lines[4] and lines[5] == "  … and 1 more"
    assert run.status == Status.FAILED


def test_subscribers_receive_the_output_of_a_monitor(mailoutbox: list[Any]) -> None:
    monitor = a_monitor(command="check_monitor", args=f"{__name__}.how_many", monitor_error_template="Oh: {{ count }}!")
    monitor.subscribers.add(User.objects.create(username="ann", email="ann@example.com"))
    an_inline_run_of(monitor)
    outbox.send_due_messages()
    [mail] = mailoutbox
    assert mail.to == ["ann@example.com"] and "Oh: 7!" in mail.body


def test_project_commands_can_report_a_count() -> None:
    assert chroniker.needs_attention(3) is False, "outside a run there is no run to report to"
    job = a_booked_job(command="attends", args="3", is_monitor=True)
    assert an_inline_run_of(job).attention_count == 3


def test_monitors_are_jobs_with_is_monitor() -> None:
    a_job()
    monitor = Monitor.objects.create(name="watching", command="noop", cron="0 3 * * *")
    assert [each.pk for each in Monitor.objects.all()] == [monitor.pk]
    assert Job.objects.get(pk=monitor.pk).is_monitor


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("monitor_url", "{% now_offset %}", "now_offset"),
        ("monitor_url", "javascript:alert(1)", "is not a URL of a page"),
        ("monitor_error_template", "{% include 'admin/base.html' %}", "not valid"),
        ("monitor_error_template", "{{ count", ""),
        ("args", "--model auth.User --filter usrname=x", "Did you mean “username”?"),
        ("args", "--help", "--help and --version only print a text and check nothing."),
        ("args", "--version", "--help and --version only print a text and check nothing."),
    ],
)
def test_monitor_arguments_are_validated_by_the_form(field: str, value: str, named: str) -> None:
    fields = {"command": "check_monitor", "args": "--model auth.User", "is_monitor": True, field: value}
    job = a_job(**fields)
    if not named:
        return job.full_clean()  # a template engine treats it as text
    with pytest.raises(ValidationError) as refused:
        job.full_clean()
    assert named in str(refused.value.message_dict[field])


@pytest.mark.parametrize("error", ["SystemExit('no pandas')", "LookupError('no pandas')"])
def test_a_function_whose_module_cannot_be_imported_is_refused(shop: Shop, error: str) -> None:
    shop.write("stock.py", f"raise {error}")
    path = f"{shop.name}.stock.count"
    named = f"“{path}” could not be imported: {error.split('(')[0]}: no pandas."
    with override_settings(CHRONIKER_MONITOR_FUNCTIONS=[path]):
        assert check(path) == (2, named) and monitors.argument_error([path]) == named
