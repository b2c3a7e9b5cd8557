"""``migrate`` brings the declared jobs along."""

from __future__ import annotations

import sys
from typing import Any

from chroniker.conf import settings


def sync_after_migrate(
    *, using: str, verbosity: int = 1, apps: Any = None, plan: Any = None, stdout: Any = None, **kwargs: Any
) -> None:
    """Receives ``post_migrate``. Never fails: the migrations are applied, whatever is wrong with a declaration.

    Does nothing after ``flush``, which sends the same signal without a plan; on other databases than that of the jobs;
    and as long as the table of jobs is not the one this code knows, as after ``migrate other_app``.
    """
    if plan is None or not settings.sync_jobs or using != settings.database or not _is_migrated(apps):
        return
    from chroniker.declared.diff import ChangeKind
    from chroniker.declared.loading import load_declared_jobs
    from chroniker.declared.sync import sync

    declared, problems = load_declared_jobs()
    if problems:
        print("Jobs declared in code were left as they are:", *problems, sep="\n  ", file=sys.stderr)
        return
    for change in sync(declared):
        if change.what == ChangeKind.REFUSED:
            print(f"Job “{change.name}” was refused: {change.details}", file=sys.stderr)
        elif change.what != ChangeKind.UNCHANGED and verbosity >= 1:
            told = f"  Job “{change.name}”: {change.what}{change.details and ' (' + change.details + ')'}"
            (stdout or sys.stdout).write(told + "\n")


def _is_migrated(apps: Any) -> bool:
    from chroniker.models import Job

    try:
        there = {field.attname for field in apps.get_model("chroniker", "Job")._meta.concrete_fields}
    except LookupError:
        return False
    return there >= {field.attname for field in Job._meta.concrete_fields}
