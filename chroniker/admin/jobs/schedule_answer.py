"""The answer to “Did it run at …?”, in one sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.insights.job_status import JobStatus
from chroniker.insights.ledger import LedgerEntry, NoRunReason
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Run, Status
from chroniker.schedule import next_instant_after
from chroniker.wording.formats import exact_time, short_duration, short_time
from chroniker.wording.states import state

_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class DidItRunQuestion:
    """The local time that the user asked for.

    ``spans``: the first and the last moment of each span. There are two spans if the clock shows this time twice, and
    none if the clock skips it.
    """

    date: dt.date
    time: dt.time
    spans: list[tuple[dt.datetime, dt.datetime]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DidItRunAnswer:
    """``runs``: the runs that the answer names."""

    tone: str
    text: str
    note: str = ""
    runs: Sequence[Run] = ()
    instant: dt.datetime | None = None


def make_did_it_run_question(date: dt.date, time: dt.time, zone: ZoneInfo, *, with_seconds: bool) -> DidItRunQuestion:
    """The question for a local time. 03:00 means the whole minute; 03:00:00 (``with_seconds``) means the second."""
    length = dt.timedelta(seconds=1) if with_seconds else dt.timedelta(minutes=1)
    spans = []
    for fold in (0, 1):
        local = dt.datetime.combine(date, time, zone).replace(fold=fold)
        moment = local.astimezone(dt.UTC)
        is_real = moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
        if is_real and (moment, moment + length - _MICROSECOND) not in spans:
            spans.append((moment, moment + length - _MICROSECOND))
    return DidItRunQuestion(date, time, spans)


def answer_did_it_run_question(
    question: DidItRunQuestion, entries: Sequence[LedgerEntry], overview: JobStatus, *, has_all_entries: bool
) -> DidItRunAnswer:
    """``entries``: the scheduled times around the question, newest first. ``has_all_entries``: no older ones exist."""
    if not question.spans:
        return DidItRunAnswer("idle", _("The clock skipped this time on that day."))
    for low, high in question.spans:
        for position, entry in enumerate(entries):
            if low <= entry.instant <= high:
                found = _add_backfill_note(_answer_for_entry(entry, overview), entry, overview.now)
                return _add_previous_and_next_notes(found, entries, position, overview.now)
    low, high = question.spans[0]
    if low > overview.now:
        return DidItRunAnswer("idle", _("That time is in the future."), _next_scheduled_time_sentence(overview, low))
    within = [entry for entry in entries if entry.first is not None and entry.first <= high and low <= entry.instant]
    if within:
        return DidItRunAnswer("wait", _("Unknown: the runs of that time were deleted."))
    older = next((entry for entry in entries if entry.instant < low), None)
    if older is None and has_all_entries:
        return DidItRunAnswer("idle", _("The history of this job does not reach back to that time."))
    return DidItRunAnswer("idle", _("Nothing was due then."), _next_scheduled_time_sentence(overview, low))


def _next_scheduled_time_sentence(overview: JobStatus, earliest: dt.datetime) -> str:
    with suppress(ScheduleError):
        following = next_instant_after(overview.job.spec, earliest - _MICROSECOND)
        if following is not None:
            text = _("According to the present schedule, the first scheduled time from then on is %(time)s.")
            return text % {"time": exact_time(following, overview.now)}
        return _("Nothing is scheduled from then on.")
    return ""


def _answer_for_entry(entry: LedgerEntry, overview: JobStatus) -> DidItRunAnswer:
    words = {"time": short_time(entry.instant, overview.now)}
    run = entry.last_attempt
    if run is None:
        text, tone, note = {
            NoRunReason.DUE: (_("Not yet: it has been due since %(time)s."), "wait", overview.why),
            NoRunReason.DISABLED: (_("No: at %(time)s the job was not enabled."), "idle", ""),
            NoRunReason.NO_RECORD: (_("Unknown: the run of %(time)s was deleted."), "wait", ""),
        }[NoRunReason(entry.verdict)]
        return DidItRunAnswer(tone, text % words, note, instant=entry.instant)
    reason = mask_secrets(run.reason, overview.job.secrets)
    if run.status == Status.SKIPPED:
        text = _("No: %(time)s was skipped. %(why)s") % {**words, "why": reason}
        return DidItRunAnswer("idle", text, instant=entry.instant)
    note = "" if run.status == Status.SUCCEEDED else reason
    text = _started_sentence(entry, run, words) if run.started_at is not None else _not_started_sentence(run) % words
    return DidItRunAnswer(state(run.status).tone, text, note, [run], entry.instant)


def _add_backfill_note(answer: DidItRunAnswer, entry: LedgerEntry, now: dt.datetime) -> DidItRunAnswer:
    """Add a note about the backfill run for this scheduled time, if there is one."""
    run = entry.backfill_run
    if run is None:
        return answer
    words = {"time": short_time(run.started_at or run.claimed_at, now), "n": str(run.token)}
    words["status"] = str(Status(run.status).label)
    note = _("Backfill run %(n)s at %(time)s: %(status)s.") % words
    return replace(answer, note=f"{answer.note} {note}".strip(), runs=[*answer.runs, run])


def _not_started_sentence(run: Run) -> str:
    if run.status == Status.CLAIMED:
        return _("Not yet: the run due at %(time)s is queued.")
    if run.status == Status.STOPPED:
        return _("No: the run due at %(time)s was cancelled before it started.")
    return _("No: the run due at %(time)s was lost before it started.")


def _started_sentence(entry: LedgerEntry, run: Run, words: dict[str, str]) -> str:
    """The sentence about a run that has started: when, where, and how it ended."""
    assert run.started_at is not None
    words |= {
        "delay": short_duration(run.started_at - entry.instant),
        "where": run.worker or run.host or _("an unknown host"),
        "length": short_duration(run.finished_at - run.started_at if run.finished_at else None),
        "until": short_time(entry.run.covered_until) if entry.run is not None else "",
        "n": str(run.attempt),
    }
    if run.status == Status.RUNNING:
        return _("It is running now: the run due at %(time)s started on %(where)s, %(delay)s after that time.") % words
    first = _("The run due at %(time)s started on %(where)s, %(delay)s after that time")
    if entry.is_merged:
        first = _("%(time)s was merged with later times up to %(until)s into one run, which started on %(where)s")
    elif run is not entry.run:
        first = _("The run due at %(time)s was repeated. Attempt %(n)s started on %(where)s, %(delay)s after that time")
    return f"{_did_it_run_sentence(run)} {first % words} {_run_end_clause(run) % words}"


def _did_it_run_sentence(run: Run) -> str:
    if run.status == Status.SUCCEEDED:
        return _("Yes.")
    return _("Perhaps.") if run.status == Status.LOST else _("Yes, but it did not succeed.")


def _run_end_clause(run: Run) -> str:
    return {
        Status.SUCCEEDED: _("and succeeded after %(length)s."),
        Status.FAILED: _("and failed after %(length)s."),
        Status.TIMED_OUT: _("and was stopped by its timeout after %(length)s."),
        Status.STOPPED: _("and was stopped after %(length)s."),
    }.get(Status(run.status), _("and was lost after %(length)s. The command may have finished."))


def _add_previous_and_next_notes(
    answer: DidItRunAnswer, entries: Sequence[LedgerEntry], position: int, now: dt.datetime
) -> DidItRunAnswer:
    """Add notes about the previous and the next scheduled time, and a note if the schedule has changed since then."""
    notes = [answer.note] if answer.note else []
    for text, place in (
        (_("Previous scheduled time: %(time)s, %(what)s."), position + 1),
        (_("Next scheduled time: %(time)s, %(what)s."), position - 1),
    ):
        if 0 <= place < len(entries):
            other = entries[place]
            words = {"time": short_time(other.instant, now), "what": str(other.verdict.label)}
            notes.append(text % words)
    if not entries[position].certain:
        notes.append(_("The scheduled times are computed from the present schedule, which has changed since then."))
    return DidItRunAnswer(answer.tone, answer.text, " ".join(notes), answer.runs, answer.instant)
