"""The run as a supervisor executes it, and its outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chroniker.process.process_tree import SurvivingProcess

if TYPE_CHECKING:
    from chroniker.reasons import Reason

#: Variables in the command's environment. The first also marks every process of a run, so that a sweep can find it.
RUN_ID_VARIABLE, RUN_TOKEN_VARIABLE, PROGRESS_FILE_VARIABLE = (
    "CHRONIKER_RUN_ID",
    "CHRONIKER_RUN_TOKEN",
    "CHRONIKER_PROGRESS",
)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run, as its supervisor executes it. All durations are seconds."""

    run_id: UUID
    token: int
    job_id: int
    argv: tuple[str, ...]  #: a management command's name and words, or the words of a raw command
    raw: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)  #: contains secrets
    variables: Mapping[str, str] = field(default_factory=dict)  #: about the run itself, see `run_variables`
    cwd: str | None = None
    timeout: float | None = None
    grace: float = 10.0  #: between SIGTERM and SIGKILL
    lease: float = 60.0
    margin: float = 12.0
    heartbeat: float = 10.0
    log_stdout: bool = True
    log_stderr: bool = True
    log_max_bytes: int | None = None
    fail_on_stderr: bool = False
    stop_requested: bool = False

    def to_json(self) -> dict[str, Any]:
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {**values, "run_id": str(self.run_id), "env": dict(self.env), "variables": dict(self.variables)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunSpec:
        return cls(**{**values, "run_id": UUID(values["run_id"]), "argv": tuple(values["argv"])})


@dataclass(frozen=True, slots=True)
class LeaseRenewalAnswer:
    """The answer to a renewal: whether the lease is still held, and who requested a stop (None: no request)."""

    held: bool
    stop_requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The end of a run. Its processes are dead; `reason` names those that could not be killed."""

    #: "exited", "timed_out", "stopped"; "interrupted": stopped or killed because its worker ends; "lost": killed after
    #: the loss of the lease, or not reported
    end_kind: str
    exit_code: int | None = None  #: negative: the signal that killed it; None: unknown
    reason: Reason | None = None
    wrote_stderr: bool = False
    progress: tuple[int, int] | None = None  #: (total, complete)
    error_line: str = ""  #: the last line on stderr, if the job logs it
    cpu_seconds: float | None = None  #: None: not measured
    max_rss_kb: int | None = None
    survivors: tuple[SurvivingProcess, ...] = ()  #: processes that could not be killed
    unstored_characters: int = 0  #: characters of its output that were not stored yet when the outcome was reported
