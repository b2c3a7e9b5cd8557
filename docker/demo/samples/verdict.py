"""Whether the sample jobs did what they should, and came through Celery. All of it is read from the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from celery import states
from django_celery_results.models import TaskResult

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.models import OPEN, JobState, LogChunk, Run, Status, Stream, Trigger
from samples.jobs import SAMPLES, Sample


@dataclass(frozen=True)
class Seen:
    """One run, its output, and what Celery's result backend knows of it."""

    run: Run
    lines: int
    result: TaskResult | None

    @property
    def ended(self) -> bool:
        return self.run.status not in OPEN

    @property
    def complete(self) -> bool:
        """It has ended and Celery has its result, which comes a moment later."""
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


def see() -> dict[str, list[Seen]]:
    """All runs of the sample jobs so far, by the job's name, in order."""
    runs = Run.objects.filter(job__name__in=[sample.name for sample in SAMPLES]).select_related("job")
    results = {result.task_id: result for result in TaskResult.objects.all()}
    seen: dict[str, list[Seen]] = {sample.name: [] for sample in SAMPLES}
    for run in runs.order_by("job", "token"):
        seen[run.job.name].append(Seen(run, count_lines(run), results.get(str(run.pk))))
    return seen


def count_lines(run: Run) -> int:
    """Of the command's own output; one without a line break at its end counts too."""
    total = 0
    for stream in (Stream.STDOUT, Stream.STDERR):
        chunks = LogChunk.objects.filter(run=run, stream=stream).order_by("seq")
        text = "".join(chunks.values_list("text", flat=True))
        total += len(text.splitlines())
    return total


def pending(seen: dict[str, list[Seen]]) -> list[str]:
    """The jobs that have not had their say: none of their runs has ended, or Celery does not know of an end yet."""
    return [
        name
        for name, runs in seen.items()
        if not any(each.ended for each in runs) or any(each.ended and not each.complete for each in runs)
    ]


def complaints(seen: dict[str, list[Seen]]) -> Iterator[str]:
    """What is not as it should be, one sentence each."""
    for sample in SAMPLES:
        runs = seen[sample.name]
        ended = [each for each in runs if each.ended]
        if not ended:
            yield f"{sample.name}: no run of it has ended. {why_not(sample)}"
        for each in ended:
            for complaint in (*about_run(sample, each), *about_celery(each), *about_turn(sample, each, seen)):
                yield f"{sample.name}, run {each.run.token}: {complaint}"


def why_not(sample: Sample) -> str:
    state = JobState.objects.select_related("job").filter(job__name=sample.name).first()
    if state is None:
        return "No tick has seen it yet."
    return due.why_not([state], database_now())[state.pk]


def about_run(sample: Sample, seen: Seen) -> Iterator[str]:
    run = seen.run
    if run.status != sample.ends:
        yield f"it should have {sample.ends.label}, and has {run.get_status_display()}. {run.reason}"
    if seen.lines < sample.lines:
        yield f"it should have written {sample.lines} lines or more, and has written {seen.lines}."
    if sample.parts and (run.total_parts, run.total_parts_complete) != (sample.parts, sample.parts):
        yield f"its last progress should be {sample.parts} of {sample.parts}, and is {progress(run) or 'none'}."
    if not sample.at_once and run.trigger != Trigger.SCHEDULE:
        yield f"its schedule should have started it, and not: {run.get_trigger_display()}."


def about_celery(seen: Seen) -> Iterator[str]:
    if seen.result is None or not seen.worker:
        yield "it did not come through a Celery worker, as far as Celery's results tell."
        return
    expected = states.SUCCESS if seen.run.status == Status.SUCCEEDED else states.FAILURE
    if seen.result.status != expected:
        yield f"Celery's result should be {expected}, and is {seen.result.status}."
    if not seen.run.host or not seen.run.pid:
        yield "it does not say on which host and as which process it ran."


def about_turn(sample: Sample, seen: Seen, everything: dict[str, list[Seen]]) -> Iterator[str]:
    """Whoever waits for a job begins after a run of it succeeded."""
    for name in sample.waits_for:
        ends = [each.run.finished_at for each in everything[name] if each.run.status == Status.SUCCEEDED]
        if not any(end and seen.run.started_at and end <= seen.run.started_at for end in ends):
            yield f"it should have waited for “{name}”."


def progress(run: Run) -> str:
    return f"{run.total_parts_complete}/{run.total_parts}" if run.total_parts else ""
