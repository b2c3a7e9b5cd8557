"""An alert is reported once and ends once; its job's state shows it; what happens in a moment is recorded with it.

Uses no code of the product.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, ClassVar, NamedTuple

from tests.simulation.checker.rows import rows, to_datetime
from tests.simulation.world import World

#: The kinds in the order of their bits.
KINDS = ("late", "slow", "overdue", "failing", "missed", "held", "set_aside", "backfill")
#: Those that a pause ends without a message; the others end so only where the job is disabled.
SILENT = ("late", "overdue")
#: A clock that jumps back ends them before their time.
BY_CLOCK = ("late", "slow", "overdue")


class Alert(NamedTuple):
    pk: Any
    job: int
    kind: str
    key: str
    ended_at: Any
    reported_at: Any


class Alerts:
    TABLES: ClassVar = frozenset({"chroniker_alert", "chroniker_jobstate", "chroniker_run", "chroniker_outbox"})

    def __init__(self, world: World) -> None:
        self.world = world
        self.alerts: dict[Any, Alert] = {}
        self.held: dict[int, Any] = {}
        self.closed: set[Any] = set()
        self.recovered: set[Any] = set()  #: alerts whose end was reported

    def after_commit(self) -> None:
        columns = "id, job_id, kind, key, ended_at, reported_at"
        found = {row[0]: Alert(*row) for row in rows(f"SELECT {columns} FROM chroniker_alert ORDER BY id")}
        opened = defaultdict(list)
        for alert in found.values():
            if alert.ended_at is None:
                opened[alert.job].append(alert.kind)
        enabled = {pk for (pk,) in rows("SELECT id FROM chroniker_job WHERE enabled")}
        for job, bits, held_at in rows("SELECT job_id, alerts_open, held_at FROM chroniker_jobstate"):
            shown = [kind for place, kind in enumerate(KINDS) if bits >> place & 1]
            if sorted(shown) != sorted(opened[job]):
                self.world.violated("alerts", f"job {job} shows {shown}, open are {opened[job]}")
            if held_at != self.held.get(job):
                self.held[job] = held_at
                if job in enabled and (held_at is not None) != ("held" in opened[job]):
                    self.world.violated("alerts", f"job {job} is held since {held_at}, open are {opened[job]}")
        self._check_slow(found)
        for alert in found.values():
            self._check_change(self.alerts.get(alert.pk), alert, alert.job in enabled)
        self.alerts = found

    def _check_slow(self, found: dict[Any, Alert]) -> None:
        """A run that took too long has an alert from its end on, however short after that the next look is."""
        slow = {alert.key.replace("-", "") for alert in found.values() if alert.kind == "slow"}
        for run, job, token, begin, end, limit in rows(
            "SELECT r.id, job_id, token, started_at, finished_at, alert_run_seconds FROM chroniker_run r"
            " JOIN chroniker_job j ON j.id = r.job_id"
            " WHERE slot = '' AND finished_at IS NOT NULL AND started_at IS NOT NULL AND alert_run_seconds > 0"
        ):
            if run in self.closed:
                continue
            self.closed.add(run)
            seconds = (to_datetime(end) - to_datetime(begin)).total_seconds()
            others = any(a.kind == "slow" and a.job == job and a.ended_at is None for a in self.alerts.values())
            if seconds > limit and str(run).replace("-", "") not in slow and not others:
                self.world.violated("alerts", f"run {token} of job {job} took {seconds:.2f} s, and nothing reports it")

    def _check_change(self, before: Alert | None, after: Alert, is_enabled: bool) -> None:
        if before is None:
            self.world.note("alert raised", after.kind, f"job {after.job}")
        if before is None or before.ended_at is None:
            if after.ended_at is not None:
                self.world.note("alert ended", after.kind, f"job {after.job}")
                self._check_end(after, is_enabled)
        elif self._is_by_a_wrong_clock(after):
            return
        elif before.ended_at != after.ended_at and after.pk in self.recovered:
            self.world.violated("alerts", f"{after.kind} of job {after.job} goes on after its end was reported")
        elif before.ended_at != after.ended_at and after.ended_at is not None:  # it was open within one transaction
            self._check_end(after, is_enabled)

    def _check_end(self, alert: Alert, is_enabled: bool) -> None:
        messages = Counter(self._messages(alert))
        if messages["alert.recovered"]:
            self.recovered.add(alert.pk)
        must_tell = alert.reported_at is not None and is_enabled and alert.kind not in SILENT and self._has_channel
        is_repeated = messages["alert.recovered"] > 1 and not self._is_by_a_wrong_clock(alert)
        if must_tell and (is_repeated or not messages["alert.recovered"]):
            self.world.violated("alerts", f"{alert.kind} of job {alert.job} ended with {dict(messages)}")

    def _messages(self, alert: Alert) -> list[str]:
        return [event for (event,) in rows("SELECT event FROM chroniker_outbox WHERE alert_id = ?", alert.pk)]

    def _is_by_a_wrong_clock(self, alert: Alert) -> bool:
        return self.world.clock_jumped and alert.kind in BY_CLOCK

    @property
    def _has_channel(self) -> bool:
        return bool(rows("SELECT id FROM chroniker_channel"))

    def at_the_end(self) -> None:
        repeated = {pk for (pk,) in rows("SELECT id FROM chroniker_job WHERE alert_repeat_seconds > 0")}
        if not self._has_channel:
            return
        for alert in self.alerts.values():
            messages = Counter(self._messages(alert))
            reports, ends = messages[f"alert.{alert.kind}"], messages["alert.recovered"]
            wanted = int(alert.reported_at is not None)
            enough = reports >= wanted if alert.job in repeated else reports == wanted
            if self._is_by_a_wrong_clock(alert):
                continue
            if not enough or ends > min(reports, 1) or (ends and alert.ended_at is None):
                self.world.violated("alerts", f"{alert.kind} of job {alert.job} was reported by {dict(messages)}")
