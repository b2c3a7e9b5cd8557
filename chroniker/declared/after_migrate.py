"""Synchronises the declared jobs after ``migrate``."""

from __future__ import annotations

import sys
from typing import Any

from chroniker.conf import settings


def sync_after_migrate(
    *, using: str, verbosity: int = 1, apps: Any = None, plan: Any = None, stdout: Any = None, **kwargs: Any
) -> None:
    """Receiver of ``post_migrate``. Invalid declarations are printed and do not make ``migrate`` fail.

    Does nothing after ``flush``, which sends the same signal without a plan; for other databases; and while the job
    table does not have all columns, as after ``migrate other_app``.
    """
    if plan is None or not settings.sync_jobs or using != settings.database or not _is_migrated(apps):
        return
    from chroniker.declared.diff import JobChangeKind
    from chroniker.declared.loading import load_declared_jobs
    from chroniker.declared.sync import sync_declared_jobs
    from chroniker.models.audit import command_actor

    declared, problems = load_declared_jobs()
    if problems:
        print("Declared jobs were not synchronised:", *problems, sep="\n  ", file=sys.stderr)
        return
    for change in sync_declared_jobs(declared, by=command_actor("migrate")):
        if change.kind == JobChangeKind.REFUSED:
            print(f"Job “{change.name}” was refused: {change.details}", file=sys.stderr)
        elif change.kind != JobChangeKind.UNCHANGED and verbosity >= 1:
            details = f" ({change.details})" if change.details else ""
            (stdout or sys.stdout).write(f"  Job “{change.name}”: {change.kind}{details}\n")


def _is_migrated(apps: Any) -> bool:
    from chroniker.models import Job

    try:
        columns = {field.attname for field in apps.get_model("chroniker", "Job")._meta.concrete_fields}
    except LookupError:
        return False
    return columns >= {field.attname for field in Job._meta.concrete_fields}
