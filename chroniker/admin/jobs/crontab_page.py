"""Import from a crontab: a form for its text, a preview of the job for each line, and the import."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chroniker import schedule
from chroniker.admin.jobs.bulk_actions import book_next_runs_after_commit
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import redirect_to
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ScheduleError
from chroniker.importing import ImportCandidate, ImportOutcome, save_candidates
from chroniker.importing.crontab.crontab_parser import parse_entries
from chroniker.importing.crontab.jobs import CronProgram, ImportOptions, candidates_of_entries
from chroniker.importing.crontab.this_machine import machine_time_zone, own_manage_files
from chroniker.models import Job

MAX_CRONTAB_LENGTH = 100_000
#: For each outcome: a state code of ``wording.states``, and the text.
OUTCOME_CODES_AND_TEXTS: dict[ImportOutcome, tuple[str, Any]] = {
    ImportOutcome.WOULD_BE_IMPORTED: ("scheduled", gettext_lazy("would be imported")),
    ImportOutcome.IMPORTED: ("succeeded", gettext_lazy("imported")),
    ImportOutcome.IMPORTED_BEFORE: ("skipped", gettext_lazy("imported before, unchanged")),
    ImportOutcome.REFUSED: ("failed", gettext_lazy("not imported")),
}


class CrontabForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Crontab"),
        max_length=MAX_CRONTAB_LENGTH,
        widget=forms.Textarea({"rows": 12, "spellcheck": "false", "wrap": "off"}),
        help_text=gettext_lazy("The output of “crontab -l”."),
    )
    system = forms.BooleanField(
        label=gettext_lazy("Each line names a user"), required=False, help_text=gettext_lazy("As in /etc/crontab.")
    )
    zone = forms.CharField(label=gettext_lazy("Time zone of cron"), max_length=64, initial=machine_time_zone)
    cron = forms.ChoiceField(
        label=gettext_lazy("Program"),
        required=False,
        choices=[("", gettext_lazy("unknown")), *((each.value, each.value) for each in CronProgram)],
        help_text=gettext_lazy("The cron program; only needed if the crontab sets CRON_TZ."),
    )
    disabled = forms.BooleanField(
        label=gettext_lazy("Import as disabled jobs"),
        required=False,
        help_text=gettext_lazy("No job starts before you enable it."),
    )

    def clean_zone(self) -> str:
        try:
            return ZoneInfo(self.cleaned_data["zone"].strip()).key
        except (KeyError, ValueError, OSError):
            raise ValidationError(_("There is no time zone with this name. Write it like Europe/Paris.")) from None

    def make_import_candidates(self, now: dt.datetime) -> list[ImportCandidate]:
        data = self.cleaned_data
        cron = CronProgram(data["cron"]) if data["cron"] else None
        options = ImportOptions(now, data["zone"], own_manage_files(), cron)
        return candidates_of_entries(parse_entries(data["text"], system=data["system"]), options)


@dataclass(frozen=True, slots=True)
class CrontabPreviewLine:
    """A line of the crontab, and the job that the import makes from it."""

    crontab_line: str
    name: str
    code: str
    outcome: str
    command_line: str
    schedule_in_words: str
    remarks: list[str]


def crontab_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    if not job_admin.has_add_permission(request):
        raise PermissionDenied
    form = CrontabForm(request.POST if request.method == "POST" else None)
    found: list[ImportCandidate] = []
    now = database_now()
    if request.method == "POST" and form.is_valid():
        found = form.make_import_candidates(now)
        is_preview = "import" not in request.POST
        save_candidates(found, by=None, dry_run=is_preview, disabled=form.cleaned_data["disabled"])
        jobs = [each.job for each in found if each.outcome is ImportOutcome.IMPORTED]
        if jobs:
            return _finish_import(request, jobs, len(found))
        if not found:
            form.add_error("text", _("There is no line with a command."))
    context = {
        "title": _("Import from a crontab"),
        "form": form,
        "lines": [make_crontab_preview_line(each, now) for each in found],
        "importable": sum(each.outcome is ImportOutcome.WOULD_BE_IMPORTED for each in found),
    }
    return render_console_page(
        job_admin.admin_site, request, "chroniker/console/jobs/import_crontab.html", "jobs", context
    )


def _finish_import(request: HttpRequest, jobs: Sequence[Job], line_count: int) -> HttpResponse:
    LogEntry.objects.log_actions(request.user.pk, jobs, ADDITION, _("Imported from a crontab."))  # type: ignore[arg-type]
    book_next_runs_after_commit([job.pk for job in jobs])
    text = ngettext(
        "%(n)d job was imported (lines with a command: %(lines)d).",
        "%(n)d jobs were imported (lines with a command: %(lines)d).",
        len(jobs),
    )
    messages.success(request, text % {"n": len(jobs), "lines": line_count})
    if any(job.enabled for job in jobs):
        messages.warning(
            request, _("Now remove the lines of the imported jobs from the crontab. Until then cron runs them, too.")
        )
    return redirect_to("chroniker_job_changelist")


def make_crontab_preview_line(candidate: ImportCandidate, now: dt.datetime) -> CrontabPreviewLine:
    """``now``: the time after which the next times of cron were computed."""
    code, outcome = OUTCOME_CODES_AND_TEXTS[candidate.outcome]
    job, there = candidate.job, candidate.instants_there
    remarks = list(filter(None, [candidate.refusal, *candidate.differences]))
    if candidate.outcome is ImportOutcome.REFUSED:
        return CrontabPreviewLine(candidate.schedule_there, job.name, code, str(outcome), "", "", remarks)
    words = schedule.describe_schedule(job.spec)
    if not job.enabled:
        words = _("%(schedule)s, disabled") % {"schedule": words}
    if there and there != _next_scheduled_times(job, now, len(there)):
        remarks.append(
            _(
                "The next scheduled times of the job differ from those of cron; manage.py import_crontab --dry-run "
                "lists both."
            )
        )
    command_line = job.raw_command or f"manage.py {job.command} {job.args}".strip()
    return CrontabPreviewLine(candidate.schedule_there, job.name, code, str(outcome), command_line, words, remarks)


def _next_scheduled_times(job: Job, now: dt.datetime, count: int) -> list[dt.datetime]:
    try:
        return schedule.next_instants(job.spec, now, count)
    except ScheduleError:
        return []
