"""Monitors run no code while raw commands are off."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import monitors
from chroniker.exceptions import MonitorError
from tests.support import admin_pages
from tests.support.command_jobs import a_job_of_new_year
from tests.support.factories import a_job
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

NO_RAW = override_settings(CHRONIKER_DISABLE_RAW_COMMAND=True)
ADD = "admin:chroniker_job_add"
#: The arguments of check_monitor without a source of records.
EMPTY_QUERY: dict[str, Any] = {
    "function": None, "model": None, "query": None, "filter": [], "exclude": [], "imports": "", "show": 10,
}  # fmt: skip


@pytest.mark.parametrize("args", ["--query 1", "--imports os --query 'os.getpid()'"])
def test_python_in_a_monitor(args: str, admin: Client, manage: Manage) -> None:
    with NO_RAW:
        sent = {"name": "x", "command": "check_monitor", "args": args, "cron": "* * * * *"}
        page = admin.post(reverse(ADD), {**admin_pages.open_form(admin), **sent})
        assert "which CHRONIKER_DISABLE_RAW_COMMAND forbids" in admin_pages.errors(page)["args"][0]
    job = a_job_of_new_year(command="check_monitor", args=args)
    done = manage.having(CHRONIKER_DISABLE_RAW_COMMAND=True).in_process("run_job", job.name)
    assert done.returncode == 2 and "which CHRONIKER_DISABLE_RAW_COMMAND forbids" in done.stderr


@pytest.mark.parametrize(
    "template", ["{% include 'x' %}", "{% load static %}", "{{ job.delete }}", "{{ settings.SECRET_KEY }}"]
)
def test_a_monitor_s_template_sees_plain_values_and_loads_nothing(template: str) -> None:
    job = a_job(monitor_url=template)
    with override_settings(SECRET_KEY="the key"):
        assert (
            monitors.find_template_error(template, monitors.template_values(job))
            or monitors.render(template, monitors.template_values(job)) == ""
        )


@pytest.mark.parametrize("path", ["tests.settings.no_such_function", "os.getcwd", "shop.monitors.late"])
def test_a_monitor_calls_and_imports_no_function_while_raw_commands_are_off(path: str, tmp_path: Path) -> None:
    imported: list[str] = []
    options = {**EMPTY_QUERY, "function": path}
    with NO_RAW, patch("chroniker.monitors.arguments.import_string", imported.append):
        with pytest.raises(MonitorError, match="CHRONIKER_MONITOR_FUNCTIONS"):
            monitors.parse_record_source(options)
        assert "CHRONIKER_MONITOR_FUNCTIONS" in monitors.argument_error([path])
    assert imported == []


def test_a_setting_allows_functions_of_monitors() -> None:
    options = {**EMPTY_QUERY, "function": "os.getpid"}
    with NO_RAW, override_settings(CHRONIKER_MONITOR_FUNCTIONS=["os.getp*"]):
        label, fetch = monitors.parse_record_source(options)
        assert label == "os.getpid" and isinstance(fetch(), int)
    other, refused_path = override_settings(CHRONIKER_MONITOR_FUNCTIONS=["shop.*"]), "CHRONIKER_MONITOR_FUNCTIONS"
    with other, pytest.raises(MonitorError, match=refused_path):
        monitors.parse_record_source(options)
