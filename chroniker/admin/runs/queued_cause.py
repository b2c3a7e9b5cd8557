"""Why a run is still queued, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.insights.run_details import RunDetails
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import HostService
from chroniker.wording.formats import exact_time, short_duration


@dataclass(frozen=True, slots=True)
class QueuedCause:
    text: str
    notes: list[SafeString | str] = field(default_factory=list)


def explain_queued_run(details: RunDetails) -> QueuedCause:
    words = {"time": short_duration(details.now - details.run.claimed_at), "cause": _queued_cause_text(details)}
    text = _("It has been queued for %(time)s: %(cause)s.") % words
    return QueuedCause(text, [*_remedy_notes(details), *_deadline_notes(details)])


def _queued_cause_text(details: RunDetails) -> str:
    run = details.run
    if run.dispatched_at is None:
        why = mask_secrets(run.reason, run.job.secrets).rstrip(".")
        if not why:
            return _("it has not been handed to its executor yet; the next tick will do this")
        return why[:1].lower() + why[1:]
    words = {"queue": run.queue, "executor": run.executor, "host": run.required_host}
    if not details.workers:
        return _("no worker of the executor “%(executor)s” is alive") % words
    if not details.possible_workers:
        if run.required_host and not any(run.required_host == worker.host.name for worker in details.workers):
            return _("no worker on the host “%(host)s” is alive") % words
        return _("no worker consumes the queue “%(queue)s”") % words
    return _no_free_worker_text(details.possible_workers)


def _no_free_worker_text(workers: list[HostService]) -> str:
    n = len(workers)
    slots = [worker.slots for worker in workers if worker.slots]
    busy = sum(worker.busy or 0 for worker in workers)
    if len(slots) == n and busy >= sum(slots):
        words = {"n": n, "slots": sum(slots)}
        text = ngettext(
            "the only worker for this run has no free slot (%(slots)d of %(slots)d busy)",
            "none of the %(n)d workers for this run has a free slot (%(slots)d of %(slots)d busy)", n,
        )  # fmt: skip
        return text % words
    text = ngettext(
        "the only worker for this run has not taken it yet",
        "none of the %(n)d workers for this run has taken it yet",
        n,
    )
    return text % {"n": n}


def _remedy_notes(details: RunDetails) -> list[SafeString | str]:
    run = details.run
    if run.dispatched_at is None or details.possible_workers:
        return []
    if run.queue and not run.required_host:
        command = format_html("<code>celery worker -Q {}</code>", run.queue)
        return [format_html(_("Start a worker with {command}, or change the job's queue."), command=command)]
    return [_("Start a worker, or cancel the run.")]


def _deadline_notes(details: RunDetails) -> list[str]:
    if details.lease is None:
        return []
    words = {"time": exact_time(details.lease.expires_at, details.now)}
    return [_("If the run has not started by %(time)s, it is closed as lost.") % words]
