from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldError
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker import monitors
from chroniker.command_api import monitor_report
from chroniker.exceptions import MonitorError
from chroniker.management.terminal import ConsoleCommand
from chroniker.models import Job
from chroniker.monitors import RecordCount
from chroniker.outbox.admin_links import absolute_url

#: Exit statuses: records were found; the arguments are invalid.
NEEDS_ATTENTION_STATUS, INVALID_ARGUMENTS_STATUS = 1, 2


class Command(ConsoleCommand):
    help = (
        "Counts the records that need attention. Exit status 0: there are none; 1: there are some, and the first ones "
        "are printed, so that the run fails and its subscribers are notified; 2: the arguments are invalid. Example: "
        "--model shop.Order --filter status=pending --filter created__lt=now-2d"
    )

    requires_system_checks: list[str] = []  # their warnings on stderr would look like findings

    def add_arguments(self, parser: CommandParser) -> None:
        monitors.add_arguments(parser)

    def handle(self, *, show: int, verbosity: int, **options: Any) -> None:
        try:
            label, fetch = monitors.parse_record_source({"show": show, **options})
            found = monitors.count_records(fetch(), show=show if verbosity else 0, source=label)
        except (MonitorError, FieldError) as error:
            raise CommandError(str(error), returncode=INVALID_ARGUMENTS_STATUS) from error
        monitor_report.record_attention_count(found.count)
        if found.count:
            self.stderr.write(attention_failure_text(found))
            raise SystemExit(NEEDS_ATTENTION_STATUS)
        if verbosity:
            self.stdout.write(_("No record needs attention."))


def attention_failure_text(records: RecordCount) -> str:
    """The text of the mail: from the monitor's error template, if it has one."""
    head = ngettext("%(n)d record needs attention.", "%(n)d records need attention.", records.count)
    more = records.count - len(records.first_record_texts)
    rest = [_("… and %(n)d more") % {"n": more}] if records.first_record_texts and more > 0 else []
    plain = "\n".join([head % {"n": records.count}, *(f"  {line}" for line in [*records.first_record_texts, *rest])])
    job = monitor_report.current_job()
    if job is None or not job.is_monitor or not job.monitor_error_template.strip():
        return plain
    try:
        return monitors.render(job.monitor_error_template, error_template_values(job, records, plain)).strip("\n")
    except MonitorError as error:
        return _("%(plain)s\nThe error template of the monitor was not used. %(error)s") % {
            "plain": plain,
            "error": error,
        }


def error_template_values(job: Job, records: RecordCount, plain: str) -> dict[str, Any]:
    """The variables of the error template. ``stderr`` is the name in django-chroniker."""
    known = monitors.template_values(job)
    try:
        url = absolute_url(monitors.render_url(job.monitor_url, known))
    except MonitorError as error:
        url = str(error)
    return {**known, "count": records.count, "records": records.first_record_texts, "url": url, "stderr": plain}
