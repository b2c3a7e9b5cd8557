"""The fields of a form, read from its HTML, as a browser sends them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from chroniker.models import Job


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Any] = {}
        self._name: str | None = None  # of the textarea or select that is open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name")
        if tag == "input" and name and (values.get("type") != "checkbox" or "checked" in values):
            if values.get("type") != "submit":
                self.found[name] = values.get("value") or "on" * (values.get("type") == "checkbox")
        elif tag in ("textarea", "select"):
            self._name = name
            if tag == "textarea":
                self.found[name or ""] = ""
        elif tag == "option" and "selected" in values and self._name:
            self.found[self._name] = values.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._name and self.get_starttag_text() and str(self.get_starttag_text()).startswith("<textarea"):
            self.found[self._name] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self._name = None


def fields(page: Any, form: str = "job_form") -> dict[str, Any]:
    """The fields of the form with this id, without boxes that are not checked."""
    html = page.content.decode()
    parser = _Fields()
    parser.feed(html[html.index(f'id="{form}"') :])
    first_newline_goes = {name: value.removeprefix("\r\n").removeprefix("\n") for name, value in parser.found.items()}
    return {name: value for name, value in first_newline_goes.items() if "__prefix__" not in name and name}


def url(job: Job) -> str:
    return reverse("admin:chroniker_job_change", args=[job.pk])


def open_form(client: Client, job: Job | None = None) -> dict[str, Any]:
    page = client.get(url(job) if job else reverse("admin:chroniker_job_add"))
    assert page.status_code == 200
    return fields(page)


def errors(page: Any) -> dict[str, list[str]]:
    """The form's errors by field; those of the dependencies by "dependee"."""
    context = page.context_data
    found = {name: list(messages) for name, messages in context["adminform"].form.errors.items()}
    for formset in context["inline_admin_formsets"]:
        for form in formset.formset.forms:
            found |= {name: list(messages) for name, messages in form.errors.items()}
    return found


def rows(client: Client, address: str) -> list[Any]:
    """The rows of a list: of the console's, or of Django's."""
    page: Any = client.get(address)
    found = page.context_data
    return list(found["cl"].result_list if "cl" in found else found["jobs"])
