"""Short histories, each searched completely over one interruption. By the name on the command line."""

from __future__ import annotations

from tests.simulation.scenes import backfills, claims, clocks, guards, runs, schedules, waiting
from tests.simulation.scenes.base import Scene

SCENES: dict[str, type[Scene]] = {
    "claim": claims.Claim,
    "dependency": claims.Dependency,
    "disable": claims.Disable,
    "edit": claims.Edit,
    "group-limit": claims.GroupLimit,
    "pause": claims.Pause,
    "retry": claims.Retry,
    "run-now": claims.RunNow,
    "two-ticks": claims.TwoTicks,
    "backfill": backfills.BackfillClaim,
    "backfill-in-the-way": backfills.BackfillInTheWay,
    "doubled-message": runs.DoubledMessage,
    "fence-against-expiry": runs.FenceAgainstExpiry,
    "finish-against-expiry": runs.FinishAgainstExpiry,
    "late-message": runs.LateMessage,
    "renewal-against-expiry": runs.RenewalAgainstExpiry,
    "lost-message": runs.LostMessage,
    "stop-against-finish": runs.StopAgainstFinish,
    "supervisor-dies": runs.SupervisorDies,
    "clock-jump": clocks.ClockJump,
    "clock-jump-back": clocks.ClockJumpBack,
    "cut": clocks.Cut,
    "drift": clocks.Drift,
    "failover": clocks.Failover,
    "jump-of-a-claim": clocks.JumpOfAClaim,
    "late-answer": clocks.LateAnswer,
    "slow-answer": clocks.SlowAnswer,
    "slow-kill": clocks.SlowKill,
    "stopped": clocks.Stopped,
    "unequal": clocks.Unequal,
    "edit-by-slow-clock": schedules.EditBySlowClock,
    "zone-missing": schedules.ZoneMissing,
    "zone-rules": schedules.ZoneRules,
    "catch-up-each": waiting.CatchUpEach,
    "catch-up-latest": waiting.CatchUpLatest,
    "hold": waiting.Hold,
    "retry-first": waiting.RetryFirst,
    "killed-guards": guards.KilledGuards,
    "killed-guards-elsewhere": guards.KilledGuardsElsewhere,
    "killed-guards-of-a-second-start": guards.KilledGuardsOfASecondStart,
    "survivor": guards.Survivor,
    "lock-file-doubled-message": guards.LockFileDoubledMessage,
    "lock-file-finish": guards.LockFileFinish,
    "lock-file-killed-guards": guards.LockFileKilledGuards,
    "lock-file-stopped": guards.LockFileStopped,
    "lock-file-supervisor-dies": guards.LockFileSupervisorDies,
    "lock-file-unseen": guards.LockFileUnseen,
}

__all__ = ["SCENES", "Scene"]
