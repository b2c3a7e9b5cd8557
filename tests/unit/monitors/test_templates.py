from __future__ import annotations

import pytest
from django.utils.safestring import SafeData

from chroniker.exceptions import MonitorError
from chroniker.models import Job
from chroniker.monitors import render, render_url, template_error, template_values


def test_variables_of_django_chroniker_are_available() -> None:
    values = template_values(Job(pk=7, name="Late", monitor_description="Call <them>."))
    template = '{% load chroniker_tags %}{{ job.id }} "{{ job.name }}" {{ job.monitor_description_safe }}'
    assert render(template, values) == '7 "Late" Call <them>.'


def test_the_result_is_plain_text() -> None:
    assert not isinstance(render("{{ a|safe }}", {"a": "<b>"}), SafeData)
    assert not isinstance(render_url("/x", {}), SafeData)


def test_a_template_has_values_and_no_model_instance() -> None:
    values = template_values(Job(pk=7, name="Late", command="secret_command"))
    assert render("{{ job.command }}{{ job.delete }}{{ job.subscribers }}", values) == ""


@pytest.mark.parametrize(
    "template", ["{% load i18n %}", "{% include 'admin/base.html' %}", "{% nothing %}", "{{ a|b }}"]
)
def test_files_and_tags_of_other_apps_are_refused(template: str) -> None:
    with pytest.raises(MonitorError, match="not right"):
        render(template, {})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JAVASCRIPT:alert(1)", "java\nscript:x", "data:text/html,x", "//["]
)
def test_script_urls_are_refused(url: str) -> None:
    with pytest.raises(MonitorError):
        render_url("{{ url }}", {"url": url})
    assert template_error(url, {}, is_url=True)


@pytest.mark.parametrize("url", ["", "/admin/", "?a=1", "https://example.com/a?b=c", "http://localhost:8000/"])
def test_page_urls_are_accepted(url: str) -> None:
    assert render_url(url, {}) == url
