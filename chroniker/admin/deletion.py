"""Deleting a job takes its runs and their output along; one with an open run stays until that has ended."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Count
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.conf import settings
from chroniker.exceptions import ChronikerError
from chroniker.lifecycle.transactions import locked
from chroniker.models import Job, JobDependency, JobState, Lease, Run

#: Jobs that the question before a deletion lists one by one.
MOST_LISTED = 50


class DeletionRefused(ChronikerError):
    """The job has an open run, or is declared in code."""


def delete(jobs: Sequence[Job]) -> None:
    """All of them or none; raises ``DeletionRefused``, naming those that stand against it.

    The states are locked first, as a claim does: none of these jobs can be claimed while they go.
    """
    with transaction.atomic(using=settings.database):
        ids = [job.pk for job in jobs]
        list(locked(JobState.objects.filter(pk__in=ids), skip=False))
        if names := list(declared(ids)):
            said = _("Nothing was deleted. These are declared in code and would come back: %(names)s.")
            raise DeletionRefused(said % {"names": ", ".join(f"“{name}”" for name in names)})
        if names := with_open_runs(ids):
            said = _("Nothing was deleted. Disable and stop first, then wait for the end of the run of: %(names)s.")
            raise DeletionRefused(said % {"names": ", ".join(f"“{name}”" for name in names)})
        Job.objects.filter(pk__in=ids).delete()


def with_open_runs(job_ids: Sequence[int]) -> list[str]:
    names = Job.objects.filter(pk__in=Lease.objects.filter(job__in=job_ids).values("job")).values_list(
        "name", flat=True
    )
    return list(names.order_by("name"))


def declared(job_ids: Sequence[int]) -> dict[str, str]:
    """Name -> where, of those that code declares: the next ``sync_jobs`` would create them again."""
    jobs = Job.objects.filter(pk__in=job_ids, enabled_when_removed=None).exclude(managed_by="")
    return dict(jobs.order_by("name").values_list("name", "managed_by"))


def consequences(jobs: Sequence[Job]) -> tuple[list[str], dict[str, int], list[str]]:
    """For the question before it: what would go, in words and in numbers, and what stands against it."""
    ids = [job.pk for job in jobs]
    counted = Run.objects.filter(job__in=ids).order_by().values_list("job").annotate(Count("pk"))
    runs = dict(counted)
    lines = [_line(job, runs.get(job.pk, 0)) for job in jobs[:MOST_LISTED]]
    waiting = (
        JobDependency.objects.filter(dependee__in=ids)
        .exclude(dependent__in=ids)
        .select_related("dependent", "dependee")
    )
    lines += [
        _("“%(dependent)s” would no longer wait for “%(dependee)s”")
        % {"dependent": dependency.dependent, "dependee": dependency.dependee}
        for dependency in waiting[:MOST_LISTED]
    ]
    numbers = {
        str(capfirst(Job._meta.verbose_name_plural)): len(jobs),
        str(capfirst(Run._meta.verbose_name_plural)): sum(runs.values()),
    }
    against = [
        _("the declaration of “%(name)s” in %(where)s: remove it first; then its job is disabled, and can be deleted")
        % {"name": name, "where": where}
        for name, where in declared(ids).items()
    ]
    against += [_("the open run of “%(name)s”: stop it first") % {"name": name} for name in with_open_runs(ids)]
    return lines, numbers, against


def _line(job: Job, runs: int) -> str:
    said = ngettext("%(job)s, with %(n)d run and its output", "%(job)s, with %(n)d runs and their output", runs)
    return said % {"job": job, "n": runs}
