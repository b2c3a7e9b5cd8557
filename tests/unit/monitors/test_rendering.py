from __future__ import annotations

import pytest
from django.utils.safestring import SafeData

from chroniker.exceptions import MonitorError
from chroniker.models import Job
from chroniker.monitors import about, problem, rendered, rendered_url


def test_the_ancestors_names_are_known() -> None:
    values = about(Job(pk=7, name="Late", monitor_description="Call <them>."))
    template = '{% load chroniker_tags %}{{ job.id }} "{{ job.name }}" {{ job.monitor_description_safe }}'
    assert rendered(template, values) == '7 "Late" Call <them>.'


def test_what_comes_out_is_ordinary_text() -> None:
    assert not isinstance(rendered("{{ a|safe }}", {"a": "<b>"}), SafeData)
    assert not isinstance(rendered_url("/x", {}), SafeData)


def test_a_template_sees_values_and_not_the_record() -> None:
    values = about(Job(pk=7, name="Late", command="secret_command"))
    assert rendered("{{ job.command }}{{ job.delete }}{{ job.subscribers }}", values) == ""


@pytest.mark.parametrize(
    "template", ["{% load i18n %}", "{% include 'admin/base.html' %}", "{% nothing %}", "{{ a|b }}"]
)
def test_no_files_and_no_tags_of_other_apps(template: str) -> None:
    with pytest.raises(MonitorError, match="not right"):
        rendered(template, {})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JAVASCRIPT:alert(1)", "java\nscript:x", "data:text/html,x", "//["]
)
def test_what_would_run_a_script_is_no_link(url: str) -> None:
    with pytest.raises(MonitorError):
        rendered_url("{{ url }}", {"url": url})
    assert problem(url, {}, is_url=True)


@pytest.mark.parametrize("url", ["", "/admin/", "?a=1", "https://example.com/a?b=c", "http://localhost:8000/"])
def test_what_leads_to_a_page_is_one(url: str) -> None:
    assert rendered_url(url, {}) == url
