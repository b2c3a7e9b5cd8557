"""Compares the runs of the sample jobs with their expected results, as recorded in the database and by Celery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from celery import states
from django_celery_results.models import TaskResult

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations
from chroniker.models import OPEN_STATUSES, JobState, LogChunk, Run, Status, Stream, Trigger
from samples.jobs import SAMPLES, Sample


@dataclass(frozen=True)
class ObservedRun:
    """A run, the number of its output lines, and Celery's result."""

    run: Run
    lines: int
    result: TaskResult | None

    @property
    def ended(self) -> bool:
        return self.run.status not in OPEN_STATUSES

    @property
    def complete(self) -> bool:
        """It has ended, and Celery has stored its result, which happens a moment later."""
        return self.ended and self.result is not None

    @property
    def worker(self) -> str:
        name: str | None = getattr(self.result, "worker", None)
        return name or ""

    @property
    def seconds(self) -> float | None:
        if self.run.started_at is None or self.run.finished_at is None:
            return None
        return (self.run.finished_at - self.run.started_at).total_seconds()


def observe() -> dict[str, list[ObservedRun]]:
    """All runs of the sample jobs, by job name, in order."""
    runs = Run.objects.filter(job__name__in=[sample.name for sample in SAMPLES]).select_related("job")
    results = {result.task_id: result for result in TaskResult.objects.all()}
    seen: dict[str, list[ObservedRun]] = {sample.name: [] for sample in SAMPLES}
    for run in runs.order_by("job", "token"):
        seen[run.job.name].append(ObservedRun(run, count_lines(run), results.get(str(run.pk))))
    return seen


def count_lines(run: Run) -> int:
    """Number of lines of output. A last line without a line break counts."""
    total = 0
    for stream in (Stream.STDOUT, Stream.STDERR):
        chunks = LogChunk.objects.filter(run=run, stream=stream).order_by("seq")
        text = "".join(chunks.values_list("text", flat=True))
        total += len(text.splitlines())
    return total


def pending(seen: dict[str, list[ObservedRun]]) -> list[str]:
    """Jobs without an ended run, or with an ended run whose result Celery has not stored yet."""
    return [
        name
        for name, runs in seen.items()
        if not any(each.ended for each in runs) or any(each.ended and not each.complete for each in runs)
    ]


def deviations(seen: dict[str, list[ObservedRun]]) -> Iterator[str]:
    """Differences from the expected results, one sentence each."""
    for sample in SAMPLES:
        runs = seen[sample.name]
        ended = [each for each in runs if each.ended]
        if not ended:
            yield f"{sample.name}: no run has ended. {why_not(sample)}"
        for each in ended:
            for deviation in (
                *of_run(sample, each),
                *of_celery(each),
                *of_order(sample, each, seen),
            ):
                yield f"{sample.name}, run {each.run.token}: {deviation}"


def why_not(sample: Sample) -> str:
    state = JobState.objects.select_related("job").filter(job__name=sample.name).first()
    if state is None:
        return "No tick has booked it yet."
    return explanations.explanation_texts([state], database_now())[state.pk]


def of_run(sample: Sample, seen: ObservedRun) -> Iterator[str]:
    run = seen.run
    if run.status != sample.ends:
        yield f"expected status {sample.ends.label}, found {run.get_status_display()}. {run.reason}"
    if seen.lines < sample.lines:
        yield f"expected {sample.lines} lines of output or more, found {seen.lines}."
    if sample.parts and (run.total_parts, run.total_parts_complete) != (sample.parts, sample.parts):
        yield f"expected progress {sample.parts}/{sample.parts}, found {progress(run) or 'none'}."
    trigger = Trigger.EVENT if sample.started_by else Trigger.SCHEDULE
    if not sample.at_once and run.trigger != trigger:
        yield f"expected to be started by {trigger.label}, found: {run.get_trigger_display()}."


def of_celery(seen: ObservedRun) -> Iterator[str]:
    if seen.result is None or not seen.worker:
        yield "Celery has no result of it."
        return
    expected = states.SUCCESS if seen.run.status == Status.SUCCEEDED else states.FAILURE
    if seen.result.status != expected:
        yield f"expected Celery's result {expected}, found {seen.result.status}."
    if not seen.run.host or not seen.run.pid:
        yield "it has no host or no process id."


def of_order(sample: Sample, seen: ObservedRun, everything: dict[str, list[ObservedRun]]) -> Iterator[str]:
    """A dependent job must start after a successful run of each job that it waits for."""
    for name in sample.waits_for:
        ends = [each.run.finished_at for each in everything[name] if each.run.status == Status.SUCCEEDED]
        if not any(end and seen.run.started_at and end <= seen.run.started_at for end in ends):
            yield f"it started before “{name}” succeeded."


def progress(run: Run) -> str:
    return f"{run.total_parts_complete}/{run.total_parts}" if run.total_parts else ""
