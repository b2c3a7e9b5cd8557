from __future__ import annotations

import re
from pathlib import Path

from chroniker.models import ALLOWED_TRANSITIONS, FINAL_STATUSES, OPEN_STATUSES, Run, Status
from chroniker.models import run_status as status_module
from tests.support import ROOT

Rows = set[tuple[str, str, str]]


def rows_of_the_comment() -> Rows:
    """(event, from, to) of each transition in the table beside the states."""
    text = Path(str(status_module.__file__)).read_text()
    rows = re.findall(r"^#   ([a-z ]+?)  +(\S+) +((?:[A-Z_]+ ?)+)  +", text, re.MULTILINE)
    return {(event, source, target) for event, source, targets in rows for target in targets.split()}


def rows_of_the_docs() -> Rows:
    text = (ROOT / "docs/reference/states.md").read_text()
    rows = re.findall(r"^\| ([a-z ]+) \| (\S+) \| ([A-Z_, ]+) \|", text, re.MULTILINE)
    return {
        (event, source if source.isalpha() else "-", target) for event, source, to in rows for target in to.split(", ")
    }


def test_the_transition_table_matches_the_code() -> None:
    code = {(str(source) if source else "-", str(target)) for source, target in ALLOWED_TRANSITIONS}
    assert {(source, target) for _event, source, target in rows_of_the_comment()} == code


def test_the_docs_have_the_same_transition_table() -> None:
    assert rows_of_the_docs() == rows_of_the_comment()


def test_the_database_has_the_same_states() -> None:
    (known,) = (each for each in Run._meta.constraints if each.name == "chroniker_run_status_known")
    assert str(known.condition) == f"(AND: ('status__in', {Status.values}))"  # type: ignore[attr-defined]
    assert {*OPEN_STATUSES, *FINAL_STATUSES} == set(Status)


def test_only_lifecycle_writes_statuses_leases_and_job_states() -> None:
    forbidden = re.compile(
        r"\.update\([^)]*\bstatus=|\brun\.status\s*=\s|(?:Lease|JobState|Run)\.objects\.(?:bulk_)?create\("
    )
    sources = [*ROOT.glob("chroniker/**/*.py"), *ROOT.glob("chroniker_celery/**/*.py")]
    outside = [path for path in sources if path.parent.name != "lifecycle"]
    assert [path.name for path in outside if forbidden.search(path.read_text())] == []
