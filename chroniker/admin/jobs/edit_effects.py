"""Sentences on the effects of an edit: skipped times, overlaps, crowded minutes, dependants, and runs a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.collision_pools import PoolCollision
from chroniker.insights.edit_neighbours import DependentJob
from chroniker.insights.self_overlap import OverlapForecast
from chroniker.insights.what_if import EditEffects, SelfOverlap, TimesSkippedBySave
from chroniker.models import Job
from chroniker.reasons import Code
from chroniker.wording.formats import exact_time, format_count, short_duration, short_time

#: The largest number of names in one sentence. It only counts the others.
MAX_LISTED_NAMES = 5


@dataclass(frozen=True, slots=True)
class EditEffectSentence:
    """``tone`` and ``shape`` as in ``chroniker.wording.states``."""

    tone: str
    shape: str
    text: str
    why: str = ""
    url: str = ""
    link_text: str = ""


def describe_edit_effects(forecast: EditEffects, edited_job: Job) -> list[EditEffectSentence]:
    """All effects, the worst first. The number of runs a day is the last one."""
    listed = [
        *_effects_of_save(forecast),
        *_effects_on_dependants(forecast.dependants),
        *_overlap_effects(forecast, edited_job),
        *_pool_collision_effects(forecast.collisions),
        *_runs_per_day_effects(forecast),
    ]
    order = ("bad", "wait", "good", "idle")
    return sorted(listed, key=lambda effect: order.index(effect.tone))


def _effects_of_save(forecast: EditEffects) -> Iterator[EditEffectSentence]:
    if forecast.skipped is not None:
        yield _skipped_times_effect(forecast.skipped, forecast.now)
    if forecast.drops_retry:
        yield EditEffectSentence("wait", "late", _("The pending retry will be cancelled."), _("The job is disabled."))


def _skipped_times_effect(skipped: TimesSkippedBySave, now: dt.datetime) -> EditEffectSentence:
    number = skipped.count
    words = {"n": f"{format_count(number)}{'+' * skipped.has_more}", "first": exact_time(skipped.first, now)}
    words["last"] = exact_time(skipped.last, now)
    text = ngettext(
        "%(n)s scheduled time that is due and has not run (%(first)s) will be skipped.",
        "%(n)s scheduled times that are due and have not run (%(first)s … %(last)s) will be skipped.",
        number,
    )
    why = {Code.EDITED: _("The schedule is changed."), Code.DISABLED: _("The job is or was disabled at that time.")}
    return EditEffectSentence("wait", "late", text % words, why.get(skipped.code, ""))


# -- dependants ----------------------------------------------------------------------------------------------


def _effects_on_dependants(dependants: Sequence[DependentJob]) -> Iterator[EditEffectSentence]:
    stuck = [each for each in dependants if each.can_never_start]
    stale = [each for each in dependants if each.stale_time_count and not each.can_never_start]
    fine = len(dependants) - len(stuck) - len(stale)
    if stuck:
        text = ngettext("%(n)d dependant would wait for ever.", "%(n)d dependants would wait for ever.", len(stuck))
        why = _("Nothing would start this job, but its success is needed by: %(names)s.")
        yield EditEffectSentence(
            "bad",
            "fail",
            text % {"n": len(stuck)},
            why % {"names": _join_names_up_to_limit(each.name for each in stuck)},
        )
    for each in stale[:MAX_LISTED_NAMES]:
        text = _("%(name)s would use an older result at %(n)d of its next %(all)d scheduled times.")
        why = _("This job is not scheduled between those times and the ones before them.")
        words = {"name": each.name, "n": each.stale_time_count, "all": each.examined_time_count}
        yield EditEffectSentence("wait", "late", text % words, why)
    if fine:
        text = ngettext("%(n)d dependant can still start.", "%(n)d dependants can still start.", fine)
        names = (each.name for each in dependants if not each.can_never_start and not each.stale_time_count)
        yield EditEffectSentence("good", "ok", text % {"n": fine}, _join_names_up_to_limit(names))


def _join_names_up_to_limit(names: Iterator[str]) -> str:
    listed = list(names)
    shown = ", ".join(listed[:MAX_LISTED_NAMES])
    more = len(listed) - MAX_LISTED_NAMES
    return _("%(names)s and %(n)d more") % {"names": shown, "n": more} if more > 0 else shown


# -- the job against itself ----------------------------------------------------------------------------------


def _overlap_effects(forecast: EditEffects, edited_job: Job) -> Iterator[EditEffectSentence]:
    usual, slow = forecast.overlap_of_usual_runs, forecast.overlap_of_slow_runs
    if usual is None or slow is None:
        if not forecast.is_new:
            text = _("It is not known whether runs of this job would overlap: it has not succeeded yet.")
            yield EditEffectSentence("idle", "idle", text)
        return
    why = _("Half of the successful runs take up to %(usual)s, 95 of 100 up to %(slow)s.")
    why %= {"usual": short_duration(usual.run_duration), "slow": short_duration(slow.run_duration)}
    if usual.after.affected:
        yield EditEffectSentence("wait", "late", _overlap_sentence(usual), why)
    elif slow.after.affected:
        more = _("The slowest runs would still be running when the next one is due.")
        yield EditEffectSentence("wait", "late", _overlap_sentence(slow), f"{why} {more}")
    elif usual.after.run_count:
        yield EditEffectSentence("good", "ok", _("Each run is expected to end before the next one is due."), why)


def _overlap_sentence(overlap: SelfOverlap) -> str:
    after: OverlapForecast = overlap.after
    number, total = after.affected, after.affected + after.run_count - after.stopped - after.late_count
    words = {"n": format_count(number), "all": format_count(total)}
    if after.skipped:
        text = ngettext(
            "Up to %(n)s of %(all)s scheduled times of a day will be skipped.",
            "Up to %(n)s of %(all)s scheduled times of a day will be skipped.",
            number,
        )
    elif after.merged:
        text = ngettext(
            "Up to %(n)s of %(all)s scheduled times of a day will be merged into a later run.",
            "Up to %(n)s of %(all)s scheduled times of a day will be merged into a later run.",
            number,
        )
    elif after.late_count:
        text = ngettext(
            "Up to %(n)s of %(all)s scheduled times of a day will wait for the previous run.",
            "Up to %(n)s of %(all)s scheduled times of a day will wait for the previous run.",
            number,
        )
    else:
        text = ngettext(
            "Up to %(n)s of %(all)s runs of a day will be stopped by the next one.",
            "Up to %(n)s of %(all)s runs of a day will be stopped by the next one.",
            number,
        )
    return text % words


# -- other jobs ----------------------------------------------------------------------------------------------


def _pool_collision_effects(collisions: Sequence[PoolCollision]) -> Iterator[EditEffectSentence]:
    """An effect for the first crowded minute of the group, and one for the first crowded minute of the queue."""
    of_group, of_queue = ([each for each in collisions if bool(each.group) == is_group] for is_group in (True, False))
    for pool in (*of_group[:1], *of_queue[:1]):
        text = _("More runs are due at %(time)s than can start.") % {"time": short_time(pool.collision.start)}
        why = f"{_pool_collision_sentence(pool)} {short_duration(pool.collision.longest_wait)}."
        yield EditEffectSentence("wait", "late", text, why, admin_url("chroniker_job_timeline"), _("Timeline"))


def _pool_collision_sentence(pool_collision: PoolCollision) -> str:
    words = {"n": pool_collision.collision.affected_job_count, "limit": pool_collision.collision.capacity}
    if pool_collision.queue is None:
        text = _(
            "%(n)d jobs of group %(group)s start in the same minute; its limit is %(limit)d. Estimated longest wait:"
        )
        return text % {**words, "group": pool_collision.group}
    text = _(
        "%(n)d jobs of queue %(queue)s start in the same minute; slots of its workers: %(limit)d. Estimated "
        "longest wait:"
    )
    return text % {**words, "queue": pool_collision.queue[1] or pool_collision.queue[0]}


def _runs_per_day_effects(forecast: EditEffects) -> Iterator[EditEffectSentence]:
    before, after = forecast.runs_per_day
    text = _runs_per_day_in_words(after) if forecast.is_new or before == after else _("%(after)s instead of %(before)s")
    text %= {"after": _runs_per_day_in_words(after), "before": _runs_per_day_in_words(before)}
    if forecast.overlap_of_usual_runs is not None and (before or after):
        work = [short_duration(forecast.overlap_of_usual_runs.run_duration * rate) for rate in (before, after)]
        more = (
            _("about %(after)s of work a day")
            if before == after
            else _("about %(after)s of work a day instead of %(before)s")
        )
        text = f"{text}; {more % {'before': work[0], 'after': work[1]}}"
    yield EditEffectSentence("idle", "idle", f"{text}.")


def _runs_per_day_in_words(runs_per_day: float) -> str:
    """“144 runs a day”, “a run every 7 days”."""
    if runs_per_day == 0:
        return _("no runs")
    if runs_per_day < 1:
        return _("a run every %(n)s days") % {"n": number_format(round(1 / runs_per_day, 1), use_l10n=True)}
    number = round(runs_per_day)
    return ngettext("%(n)s run a day", "%(n)s runs a day", number) % {"n": format_count(number)}
