"""The preview of a schedule in the job's form: a description, the next scheduled times, and remarks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db import models
from django.forms import fields_for_model
from django.http import HttpRequest
from django.urls import path
from django.urls.resolvers import URLPattern
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.admin.jobs.form_times import times_in
from chroniker.admin.shared.live_refresh import json_view
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ScheduleError
from chroniker.models import Job
from chroniker.models.calendar import closed_times
from chroniker.models.schedule_fields import SPEC_FIELDS
from chroniker.schedule import ClosedTime, Frequency, Spec

INSTANTS = 10


def urls(job_admin: Any) -> list[URLPattern]:
    return [path("preview/", partial(preview_view, job_admin), name="chroniker_job_preview")]


@json_view
def preview_view(job_admin: Any, request: HttpRequest) -> dict[str, Any]:
    """The next scheduled times of the schedule in the query, which may not be saved yet."""
    return preview_of_form(request.GET)


def preview(spec: Spec, closed: Sequence[ClosedTime] = (), *, runs_if_late: bool = False) -> dict[str, Any]:
    """The description, the next scheduled times and remarks; or the error. The schedule need not be saved.

    ``runs_if_late``: a job of frequency ONCE runs even if its time has passed, because it is new and enabled.
    """
    try:
        schedule.validate(spec)
    except ScheduleError as error:
        return {"error": str(error), "field": error.field}
    now = database_now()
    instants = schedule.preview(spec, now, INSTANTS)
    return {
        "words": schedule.describe(spec),
        "instants": [_instant(spec, instant, closed) for instant in instants],
        "remarks": [
            *_none_left(spec, instants, runs_if_late),
            *schedule.warnings(spec),
            *schedule.dst_notes(spec, now),
        ],
    }


def _none_left(spec: Spec, instants: list[dt.datetime], runs_if_late: bool) -> list[str]:
    if instants:
        return []
    if runs_if_late and spec.frequency == Frequency.ONCE:
        return [_("This time is in the past: the job runs once, as soon as it is saved.")]
    return [_("No further scheduled times.")]


def _instant(spec: Spec, instant: dt.datetime, closed: Sequence[ClosedTime]) -> str:
    """In the schedule's time zone, with the UTC offset, which shows a change to daylight saving time."""
    shown = f"{instant.astimezone(ZoneInfo(spec.timezone)):%a %Y-%m-%d %H:%M:%S %z}"
    within = schedule.closed_at(closed, instant, spec.timezone)
    return _("%(instant)s: skipped, blackout “%(name)s”") % {"instant": shown, "name": within.name} if within else shown


def preview_html(found: dict[str, Any]) -> SafeString:
    if "error" in found:
        return format_html('<p class="chroniker-error">{}</p>', found["error"])
    return format_html(
        '<p data-part="words">{}</p><ol class="chroniker-instants">{}</ol>{}',
        found["words"],
        format_html_join("", "<li>{}</li>", ([instant] for instant in found["instants"])),
        format_html_join("", '<p class="chroniker-remark">{}</p>', ([remark] for remark in found["remarks"])),
    )


def _formfield(field: models.Field[Any, Any], **kwargs: Any) -> forms.Field | None:
    if isinstance(field, models.DateTimeField):
        label = capfirst(field.verbose_name)
        return forms.SplitDateTimeField(required=False, widget=AdminSplitDateTime, label=label)
    return field.formfield(**kwargs)


class SpecForm(forms.Form):
    """The schedule's fields of the job's form, as they are in the browser."""

    def spec(self) -> Spec:
        return Spec(**self.cleaned_data)


SpecForm.base_fields = fields_for_model(Job, fields=SPEC_FIELDS, formfield_callback=_formfield)


def preview_of_form(data: Any) -> dict[str, Any]:
    """Like ``preview``, for form fields as a browser sends them."""
    form = SpecForm(data)
    with times_in(str(data.get("timezone", ""))):
        is_valid = form.is_valid()
    if not is_valid:
        field, errors = next(iter(form.errors.items()))
        return {"error": f"{form.fields[field].label}: {errors[0]}", "field": field}
    runs_if_late = data.get("is_new") == "1" and data.get("enabled") == "1"
    return preview(form.spec(), _closed(str(data.get("calendar", ""))), runs_if_late=runs_if_late)


def _closed(calendar: str) -> list[ClosedTime]:
    return closed_times([int(calendar)])[int(calendar)] if calendar.isdecimal() and len(calendar) < 19 else []
