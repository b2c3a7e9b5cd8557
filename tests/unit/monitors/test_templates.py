from __future__ import annotations

import pytest
from django.utils.safestring import SafeData

from chroniker.exceptions import MonitorError
from chroniker.models import Job
from chroniker.monitors import find_template_error, render, render_url, template_values


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
    with pytest.raises(MonitorError, match="not valid"):
        render(template, {})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", " JAVASCRIPT:alert(1)", "java\nscript:x", "data:text/html,x", "//["]
)
def test_script_urls_are_refused(url: str) -> None:
    with pytest.raises(MonitorError):
        render_url("{{ url }}", {"url": url})
    assert find_template_error(url, {}, is_url=True)


@pytest.mark.parametrize("url", ["", "/admin/", "?a=1", "https://example.com/a?b=c", "http://localhost:8000/"])
def test_page_urls_are_accepted(url: str) -> None:
    assert render_url(url, {}) == url


LONG = "x" * 20_000


@pytest.mark.parametrize(
    "template",
    [
        '{{ job.name|rjust:"2000000000" }}',
        '{{ count|stringformat:"2000000000d" }}',
        '{{ count|floatformat:"2000000" }}',
        "{% lorem 2000000 w %}",
        "{% include 'x' %}",
    ],
)
def test_tags_and_filters_with_an_unlimited_result_are_refused(template: str) -> None:
    with pytest.raises(MonitorError, match="The template is not valid: Invalid"):
        render(template, {"count": 1, "job": {"name": "Late"}})


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in text %}{% for b in text %}{% endfor %}{% endfor %}",
        "{% for a in text %}{{ text }}{% endfor %}",
        "{% for a in text %}{% firstof text %}{% endfor %}",
        "{% for a in text %}{% if text == a %}{% endif %}{% endfor %}",
        "{{ text" + "|urlencode" * 300 + " }}",
        "{% for a in records %}" * 30 + "x" + "{% endfor %}" * 30,
        "{{ records|join:text }}",
        "{% now_offset text -1 %}",
    ],
)
def test_templates_with_too_much_work_are_refused(template: str) -> None:
    with pytest.raises(MonitorError, match=r"too much text|too long|more than 200 characters"):
        render(template, {"text": "%" * 20_000, "records": ["a"] * 10})


def test_texts_are_not_doubled_again_and_again() -> None:
    doubling = "{% with a=a|add:a %}" * 40 + "{{ a }}" + "{% endwith %}" * 40
    assert render(doubling, {"a": LONG}) == ""


def test_values_are_cut_to_a_limit() -> None:
    assert len(render("{{ job.description }}", {"job": {"description": LONG * 2}})) == 20_000


def test_usual_templates_are_rendered() -> None:
    values = {"count": 2, "records": ["order 1", "order 2"], "url": "/a/", "job": {"id": 1, "name": "late orders"}}
    template = (
        "{% if count > 1 %}{{ count }} order{{ count|pluralize }}{% endif %}"
        "{% for each in records %}{% if not forloop.first %},{% endif %} {{ each|upper }}{% endfor %}; "
        '{{ records|join:" and " }}; {{ count|add:1 }}; {{ missing|default:"none" }}; {{ job.name|urlencode }}'
        "{# a comment #}{% comment %}{{ x|rjust }}{% endcomment %}"
    )
    expected = "2 orders ORDER 1, ORDER 2; order 1 and order 2; 3; none; late%20orders"
    assert render(template, values) == expected
