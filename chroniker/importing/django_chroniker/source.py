"""Reads the rows of django-chroniker, from its renamed tables or from a file of dumpdata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Count, F
from django.db.models.functions import Coalesce, Length
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import ImportRefused
from chroniker.importing import dump_files
from chroniker.importing.django_chroniker.tables import OldDependency, OldJob, OldLog, OldSubscription
from chroniker.importing.foreign_tables import read_rows, table_exists

M = TypeVar("M", bound=models.Model)
#: A log's id and the length of its output.
LogIdAndSize = tuple[int, int]


class OldDataSource(Protocol):
    jobs: list[OldJob]
    dependencies: list[OldDependency]
    #: Ids of users.
    subscriber_ids_by_job_id: dict[int, list[int]]
    log_counts_by_job_id: Counter[int]
    #: What could not be read, one sentence each.
    notes: list[str]

    def log_sizes(self, job_id: int) -> list[LogIdAndSize]:
        """The logs of this job, the oldest first."""

    def fetch_logs(self, ids: Sequence[int]) -> list[OldLog]:
        """These logs, in any order."""


class TableSource:
    """The renamed tables. Logs are read in batches, since they may not fit into memory."""

    def __init__(self) -> None:
        self._using = settings.database
        if not table_exists(OldJob, self._using):
            raise ImportRefused(
                _(
                    "There are no tables of django-chroniker in this database. If django-chroniker was used "
                    "here, run “migrate”, which renames its tables to chroniker_v1_…. Otherwise pass a FILE "
                    "written by “dumpdata chroniker -o FILE”."
                )
            )
        self.jobs = read_rows(OldJob, self._using)
        self.dependencies = read_rows(OldDependency, self._using)
        self.subscriber_ids_by_job_id: dict[int, list[int]] = {}
        for row in read_rows(OldSubscription, self._using):
            self.subscriber_ids_by_job_id.setdefault(row.job, []).append(row.user)
        counted = self._logs().values_list("job").annotate(logs=Count("pk")).order_by()
        self.log_counts_by_job_id = Counter(dict(counted))
        self.notes: list[str] = []

    def _logs(self) -> models.QuerySet[OldLog]:
        return OldLog._default_manager.using(self._using)

    def log_sizes(self, job_id: int) -> list[LogIdAndSize]:
        size = Coalesce(Length("stdout"), 0) + Coalesce(Length("stderr"), 0)
        ordered = self._logs().filter(job=job_id).order_by(F("run_start_datetime"), F("pk"))
        return list(ordered.annotate(size=size).values_list("pk", "size"))

    def fetch_logs(self, ids: Sequence[int]) -> list[OldLog]:
        return list(self._logs().filter(pk__in=ids))


class DumpSource:
    """A file of dumpdata, read into memory."""

    def __init__(self, path: str) -> None:
        self._objects = [each for each in dump_files.read_dump_objects(path) if each["model"].startswith("chroniker.")]
        of_jobs = [each for each in self._objects if each["model"] == "chroniker.job"]
        if not of_jobs:
            raise ImportRefused(_("%(path)s contains no jobs of django-chroniker.") % {"path": path})
        if any("dst_gap" in each["fields"] for each in of_jobs):
            raise ImportRefused(
                _("%(path)s is a dump of this package's own jobs. Import it with “loaddata”.") % {"path": path}
            )
        for number, each in enumerate(self._objects, start=1):  # --natural-primary omits ids
            each.setdefault("pk", number)
        self.notes: list[str] = []
        self.jobs = self._rows_of_model(OldJob, "job")
        self._names = {job.name: job.pk for job in reversed(self.jobs)}
        self.dependencies = self._rows_of_model(OldDependency, "jobdependency", "dependent", "dependee")
        self.subscriber_ids_by_job_id = {
            each["pk"]: self._existing_user_ids(each["fields"].get("subscribers") or []) for each in of_jobs
        }
        self._logs = {log.pk: log for log in self._rows_of_model(OldLog, "log", "job")}
        self.log_counts_by_job_id = Counter(log.job for log in self._logs.values())

    def _rows_of_model(self, model: type[M], label: str, *references: str) -> list[M]:
        """The rows of one model. ``references`` to jobs by name (--natural-foreign) are replaced by ids."""
        rows = dump_files.rows_of_model(model, f"chroniker.{label}", self._objects)
        for row in rows:
            for name in references:
                value = getattr(row, name)
                if isinstance(value, list):
                    setattr(row, name, self._names.get(value[0]))
        return rows

    def _existing_user_ids(self, given: list[Any]) -> list[int]:
        users = get_user_model()._default_manager.using(settings.database)
        ids = [each for each in given if not isinstance(each, list)]
        found = list(users.filter(pk__in=ids).values_list("pk", flat=True))
        for key in (each for each in given if isinstance(each, list)):
            field = users.model.USERNAME_FIELD
            found += users.filter(**{field: key[0]}).values_list("pk", flat=True)
        if len(found) < len(given):
            self.notes.append(
                _("Subscribers in the file that do not exist here: %(n)d.") % {"n": len(given) - len(found)}
            )
        return found

    def log_sizes(self, job_id: int) -> list[LogIdAndSize]:
        logs = sorted((log.run_start_datetime, log.pk, log) for log in self._logs.values() if log.job == job_id)
        return [(pk, len(log.stdout) + len(log.stderr)) for _start, pk, log in logs]

    def fetch_logs(self, ids: Sequence[int]) -> list[OldLog]:
        return [self._logs[pk] for pk in ids]
