"""Executes runs in the calling process, within ``dispatch``. For tests: no keeper, no timeout, no stop."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import traceback
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.core.management import CommandError, call_command

from chroniker.executors.base import InProcessExecutor
from chroniker.executors.database_report import DatabaseReport
from chroniker.models import Run
from chroniker.process import progress
from chroniker.process.run_spec import RUN_ID_VARIABLE, RUN_TOKEN_VARIABLE, RunOutcome, RunSpec
from chroniker.process.run_variables import replace_variables
from chroniker.reasons import Code, Reason
from chroniker.worker.output import Chunk


class InlineExecutor(InProcessExecutor):
    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        runs = self.runs_for_this_host(runs)
        for run in runs:
            self._execute(DatabaseReport(run.pk, run.token, worker=self.worker))
        return [run.pk for run in runs]

    def _execute(self, report: DatabaseReport) -> None:
        spec = report.start(os.getpid())
        if spec is None:
            return
        with _apply_run_environment(spec), progress.capture_progress() as read_progress:
            code, texts = _run_raw_command(spec) if spec.raw else _run_management_command(spec)
            parts = read_progress()
        now = datetime.now(UTC)
        kept = [(1, texts[0], spec.log_stdout), (2, texts[1], spec.log_stderr)]
        report.store_output([Chunk(stream, 0, text, now) for stream, text, keep in kept if text and keep])
        report.finish(
            RunOutcome(
                end_kind="exited",
                exit_code=code,
                reason=None if code == 0 else Reason.of(Code.EXIT, status=code),
                wrote_stderr=bool(texts[1]),
                progress=parts,
                error_line=_last_line(texts[1]),
            )
        )


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


@contextlib.contextmanager
def _apply_run_environment(spec: RunSpec) -> Iterator[None]:
    """Set the variables and the directory of the run, for the whole process."""
    before = dict(os.environ)
    os.environ.update(spec.env)
    replace_variables(os.environ, spec.variables)
    os.environ |= {RUN_ID_VARIABLE: str(spec.run_id), RUN_TOKEN_VARIABLE: str(spec.token)}
    try:
        with contextlib.chdir(spec.cwd) if spec.cwd else contextlib.nullcontext():
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _run_management_command(spec: RunSpec) -> tuple[int, tuple[str, str]]:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            call_command(*spec.argv)  # not stdout=…: that would hide a command's option of that name
        except CommandError as error:
            code = error.returncode
            err.write(f"{type(error).__name__}: {error}\n")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:  # a failure of the command is its result
            code = 1
            err.write(traceback.format_exc())
    return code, (out.getvalue(), err.getvalue())


def _run_raw_command(spec: RunSpec) -> tuple[int, tuple[str, str]]:
    done = subprocess.run(  # nosec B603  # the job's command, if raw commands are allowed
        spec.argv, capture_output=True, text=True, errors="replace", check=False
    )
    return done.returncode, (done.stdout, done.stderr)
