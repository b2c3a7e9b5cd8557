"""The public functions of the package: adding one is a feature, removing or changing one breaks projects."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import chroniker

SIGNATURES = {
    "backfill": "(job: 'Job', first: 'dt.datetime', last: 'dt.datetime', by: 'str', *, which: 'str' = 'NOT_SUCCEEDED', "
    "include_unknown: 'bool' = False, on_failure: 'str' = 'GO_ON', args: 'str | None' = None, "
    "note: 'str' = '') -> 'Backfill'",
    "current_run": "() -> 'CurrentRun | None'",
    "fence": "() -> 'AbstractContextManager[Fence]'",
    "job": "(**fields: 'Unpack[JobFields]') -> 'Declaration'",
    "needs_attention": "(records: 'int') -> 'bool'",
    "pause": "(by: 'str', reason: 'str' = '', group: 'Group | None' = None) -> 'bool'",
    "resume": "(by: 'str', group: 'Group | None' = None) -> 'bool'",
    "run_now": "(job: 'Job', by: 'str', args: 'str | None' = None, "
    "scheduled_for: 'dt.datetime | None' = None) -> 'Run'",
    "stop": "(run_id: 'UUID | str', by: 'str') -> 'bool'",
    "trigger": "(job: 'Job | str | int', key: 'str | None' = None, instant: 'dt.datetime | None' = None, "
    "args: 'Sequence[str] | None' = None, by: 'str' = '') -> 'Activation'",
}


def test_the_public_names_are_these() -> None:
    assert sorted(SIGNATURES) == chroniker.__all__


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_stable(name: str) -> None:
    assert str(inspect.signature(getattr(chroniker, name))) == SIGNATURES[name]


def test_no_other_function_looks_public() -> None:
    functions = {name for name, value in vars(chroniker).items() if inspect.isfunction(value) and name[0] != "_"}
    assert functions == set(chroniker.__all__)


def test_importing_the_package_loads_neither_django_nor_models() -> None:
    code = "import sys, chroniker; print(sorted(m for m in sys.modules if m.startswith(('django', 'chroniker.'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
