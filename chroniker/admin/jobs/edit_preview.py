"""The preview beside the job's form: the next scheduled times before and after the edit, and its effects."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import BadRequest
from django.db import models
from django.forms import fields_for_model
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.admin.jobs.cron_fields import cron_fields
from chroniker.admin.jobs.edit_effects import describe_edit_effects
from chroniker.admin.jobs.form_times import use_time_zone
from chroniker.admin.jobs.line_preview import preview_command_line
from chroniker.admin.shared.json_view import json_view
from chroniker.exceptions import ScheduleError
from chroniker.insights.timetable import ComparedTime, ScheduledTimeChange
from chroniker.insights.what_if import EditEffects, compute_edit_effects, fetch_saved_job
from chroniker.models import Group, Job
from chroniker.models.schedule_fields import SPEC_FIELDS
from chroniker.schedule import Frequency, describe_schedule
from chroniker.wording.formats import exact_time, short_time

PREVIEW_TEMPLATE, CRON_TEMPLATE = "chroniker/console/edit/preview.html", "chroniker/console/edit/cron.html"
#: A number with more digits cannot be an id.
MAX_ID_DIGITS = 18


@json_view
def edit_preview_view(job_admin: Any, request: HttpRequest) -> dict[str, Any]:
    """The preview of the form data in the query, as HTML by the id of its element. ``?job=ID``: the edited job."""
    number = request.GET.get("job", "")
    stored_job = fetch_saved_job(int(number)) if number.isdecimal() and len(number) <= MAX_ID_DIGITS else None
    if number and stored_job is None:
        raise BadRequest(_("There is no such job."))
    context = preview_context(stored_job, request.GET)
    templates = {"edit-preview": PREVIEW_TEMPLATE, "edit-cron": CRON_TEMPLATE}
    return {"html": {key: render_to_string(template, context, request) for key, template in templates.items()}}


def _make_form_field(field: models.Field[Any, Any], **kwargs: Any) -> forms.Field | None:
    if isinstance(field, models.DateTimeField):
        label = capfirst(field.verbose_name)
        return forms.SplitDateTimeField(required=False, widget=AdminSplitDateTime, label=label)
    return field.formfield(**kwargs)


#: The fields of the command line. The script sends them only if their texts are short and may contain placeholders.
COMMAND_LINE_FIELDS = ("command", "args", "raw_command")


class ScheduleForm(forms.Form):
    """The fields that the preview needs, without those that the job's form does not have."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        for name in [*self.fields]:
            if name not in data and f"{name}_0" not in data:
                del self.fields[name]


ScheduleForm.base_fields = fields_for_model(
    Job, fields=(*SPEC_FIELDS, "jitter_seconds", "overlap", "catch_up"), formfield_callback=_make_form_field
)


def preview_context(stored_job: Job | None, form_data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values for the template, or the error if a field is invalid.

    ``form_data``: the fields of the form; without it, the preview is of the saved job.
    """
    edited = copy.copy(stored_job) if stored_job is not None else Job()
    if form_data is not None:
        form = ScheduleForm(form_data)
        with use_time_zone(str(form_data.get("timezone", edited.timezone))):
            is_valid = form.is_valid()
        if not is_valid:
            field, errors = next(iter(form.errors.items()))
            return {"error": f"{form.fields[field].label}: {errors[0]}", "error_field": field}
        _copy_form_values(edited, stored_job, form.cleaned_data, form_data)
    try:
        schedule.validate_schedule(edited.spec)
    except ScheduleError as error:
        return {"error": str(error), "error_field": error.field}
    with use_time_zone(edited.timezone):
        return _forecast_context(compute_edit_effects(edited, stored_job), edited, stored_job)


def _copy_form_values(
    edited_job: Job, stored_job: Job | None, cleaned_data: Mapping[str, Any], form_data: Mapping[str, Any]
) -> None:
    for name, value in cleaned_data.items():
        setattr(edited_job, name, value)
    if stored_job is None or not {"has_enabled", "_preview"}.isdisjoint(form_data):
        edited_job.enabled = bool(form_data.get("enabled"))
    for name in COMMAND_LINE_FIELDS:
        if name in form_data:
            setattr(edited_job, name, str(form_data[name]))
    if "calendar" in form_data:
        edited_job.calendar_id = _parse_id(form_data["calendar"])
    if "group" in form_data and _parse_id(form_data["group"]) != edited_job.group_id:
        number = _parse_id(form_data["group"])
        edited_job.group = Group.objects.filter(pk=number).first() if number is not None else None


def _parse_id(text: Any) -> int | None:
    return int(text) if str(text).isdecimal() and len(str(text)) <= MAX_ID_DIGITS else None


def _forecast_context(forecast: EditEffects, edited_job: Job, stored_job: Job | None) -> dict[str, Any]:
    words = describe_schedule(edited_job.spec)
    before = _stored_schedule_in_words(stored_job)
    is_changed = stored_job is not None and any(row.change != ScheduledTimeChange.UNCHANGED for row in forecast.times)
    first = next((row.instant for row in forecast.times if row.runs_after), None)
    seconds = any(row.instant.second for row in forecast.times)
    line = preview_command_line(edited_job, getattr(stored_job, "state", None), first)
    return {
        "line": line.line,
        "line_problem": line.problem,
        "cron_fields": cron_fields(edited_job.spec),
        "words": words,
        "words_before": before if before != words else "",
        "is_changed": is_changed or (before != "" and before != words),
        "next": _local_time_text(first, forecast.now, seconds) if first is not None else "",
        "rows": [_changed_time_row(row, forecast, seconds) for row in forecast.times],
        "effects": describe_edit_effects(forecast, edited_job),
        "remarks": [
            *_why_no_scheduled_times(forecast, edited_job),
            *schedule.find_schedule_warnings(edited_job.spec),
            *schedule.clock_change_notes(edited_job.spec, forecast.now),
            *line.warnings,
        ],
        "preview_zone": timezone.get_current_timezone_name(),
        "is_enabled": edited_job.enabled,
    }


def _stored_schedule_in_words(stored_job: Job | None) -> str:
    if stored_job is None:
        return ""
    try:
        return describe_schedule(stored_job.spec)
    except ScheduleError:
        return _("an invalid schedule")


def _local_time_text(instant: dt.datetime, now: dt.datetime, with_seconds: bool) -> str:
    """The local time. If its UTC offset differs from the present offset (after a clock change), also this offset."""
    text = exact_time(instant, now) if with_seconds else short_time(instant, now)
    offset = timezone.localtime(instant).utcoffset()
    return text if offset == timezone.localtime(now).utcoffset() else f"{text} {timezone.localtime(instant):%z}"


def _changed_time_row(changed_time: ComparedTime, forecast: EditEffects, with_seconds: bool) -> dict[str, Any]:
    word = "" if forecast.is_new else str(changed_time.change.label)
    return {
        "time": _local_time_text(changed_time.instant, forecast.now, with_seconds),
        "before": changed_time.runs_before,
        "after": changed_time.runs_after,
        "change": changed_time.change,
        "word": _("skipped: blackout “%(name)s”") % {"name": changed_time.blackout} if changed_time.blackout else word,
        "others": forecast.same_minute_job_counts.get(changed_time.instant),
    }


def _why_no_scheduled_times(forecast: EditEffects, edited_job: Job) -> list[str]:
    if any(row.runs_after for row in forecast.times):
        return []
    if not edited_job.enabled:
        return [_("The job is disabled: nothing starts it.")]
    if edited_job.frequency == Frequency.MANUAL:
        return [_("No scheduled times: the job is started by hand, or when another job or a program triggers it.")]
    if forecast.is_new and edited_job.frequency == Frequency.ONCE:
        return [_("This time is in the past: the job runs once, as soon as it is saved.")]
    return [_("No further scheduled times.")]
