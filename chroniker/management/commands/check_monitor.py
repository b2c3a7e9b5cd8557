from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker import monitors
from chroniker.command_api import attention
from chroniker.exceptions import MonitorError
from chroniker.models import Job
from chroniker.monitors import RecordCount
from chroniker.outbox.admin_links import absolute

#: Exit statuses: records were found; the question could not be asked.
NEEDS_ATTENTION, NOT_ASKED = 1, 2


class Command(BaseCommand):
    help = (
        "Counts the records that need attention. Exit status 0: there are none; 1: there are some, and the first are "
        "printed, so that the run fails and its subscribers are told; 2: the question is not right. For a monitor: "
        "--model shop.Order --filter status=pending --filter created__lt=now-2d"
    )

    requires_system_checks: list[str] = []  # their warnings, on stderr, would read as if something needed attention

    def add_arguments(self, parser: CommandParser) -> None:
        monitors.add_arguments(parser)

    def handle(self, *, show: int, verbosity: int, **options: Any) -> None:
        try:
            asked, ask = monitors.record_source({"show": show, **options})
            found = monitors.count_records(ask(), most=show if verbosity else 0, asked=asked)
        except (MonitorError, FieldError) as error:
            raise CommandError(str(error), returncode=NOT_ASKED) from error
        attention.report(found.count)
        if found.count:
            self.stderr.write(said(found))
            raise SystemExit(NEEDS_ATTENTION)
        if verbosity:
            self.stdout.write(_("No record needs attention."))


def said(found: RecordCount) -> str:
    """What the mail will show: the monitor's error template where it has one."""
    head = ngettext("%(n)d record needs attention.", "%(n)d records need attention.", found.count)
    more = found.count - len(found.shown)
    rest = [_("… and %(n)d more") % {"n": more}] if found.shown and more > 0 else []
    plain = "\n".join([head % {"n": found.count}, *(f"  {line}" for line in [*found.shown, *rest])])
    job = attention.current_job()
    if job is None or not job.is_monitor or not job.monitor_error_template.strip():
        return plain
    try:
        return monitors.render(job.monitor_error_template, values(job, found, plain)).strip("\n")
    except MonitorError as error:
        return _("%(plain)s\nIts error template was not used. %(error)s") % {"plain": plain, "error": error}


def values(job: Job, found: RecordCount, plain: str) -> dict[str, Any]:
    """What an error template may show; ``stderr`` is the ancestor's name for what was found."""
    known = monitors.template_values(job)
    try:
        url = absolute(monitors.render_url(job.monitor_url, known))
    except MonitorError as error:
        url = str(error)
    return {**known, "count": found.count, "records": found.shown, "url": url, "stderr": plain}
