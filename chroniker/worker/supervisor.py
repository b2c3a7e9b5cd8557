"""One run, from its start to its last report, in the process of a worker.

The loop reads pipes and sockets only. The reporter uses the database, the keeper controls the processes. Many loops may
run at once, in any threads: a loop installs no signal handlers and waits for its own children only. Decisions are in
`RunControl` and `run_ending`.
"""

from __future__ import annotations

import dataclasses
import logging
import selectors
from contextlib import ExitStack
from functools import partial

from chroniker import logs
from chroniker.process import progress
from chroniker.process.keeper_client import KeeperClient
from chroniker.process.kernel import host_clock
from chroniker.process.process_tree import SurvivingProcess
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import Code, Reason
from chroniker.worker import run_control, run_ending
from chroniker.worker.machine import Machine
from chroniker.worker.output import REMARK_STREAM, ChunkNumbering
from chroniker.worker.output_pump import OutputReader
from chroniker.worker.report_interface import REFUSED_DELIVERY_EVENT_KIND, Report
from chroniker.worker.reporter import Reporter
from chroniker.worker.run_control import ExtendInstruction, Instruction, KillInstruction, RunControl, StopInstruction
from chroniker.worker.run_lock import RunLock
from chroniker.worker.shutdown_notice import ShutdownNotice
from chroniker.worker.survivors import hold_slot_until_survivors_end
from chroniker.worker.wake_socket import WakeSocket

log = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 1.0
_DEFAULT_HOST = "this host"


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """The environment of supervisors: this worker and its host."""

    machine: Machine
    host: str = _DEFAULT_HOST
    shutdown_notice: ShutdownNotice | None = None  #: announces the shutdown of the worker


def execute_run(report: Report, worker: Worker) -> RunOutcome | None:
    """Execute one claimed run, and report it. None: the start was refused, or another process executes this run.

    On return the run's processes are dead. The reason of the outcome names processes that could not be killed. The
    database shows the outcome, except for `lost`: then the report was too late or could not be sent, and a tick closes
    the run.
    """
    machine = worker.machine
    with ExitStack() as stack:
        about = stack.enter_context(logs.label_log_records_with_run_id(report.run_id))
        lock = machine.take_lock(report.run_id)
        if lock is None:
            report.record_event(REFUSED_DELIVERY_EVENT_KIND, Reason.of(Code.ALREADY_HERE, host=worker.host))
            return None
        stack.enter_context(lock)
        wake_socket = stack.enter_context(machine.open_wake_socket(report.run_id))
        reporter = Reporter(report, remarks := ChunkNumbering(REMARK_STREAM))
        stack.callback(reporter.close)
        reporter.request_start()
        # The keeper starts while this process waits for the database. The keeper runs nothing before it gets a spec.
        keeper = _start_keeper(machine, lock)
        if isinstance(keeper, KeeperClient):
            stack.callback(keeper.close)
        spec = reporter.wait_for_start()
        if spec is None:
            return None
        about.update(spec.variables)
        if spec.stop_requested:
            return _report_outcome(reporter, RunOutcome("stopped", reason=Reason.of(Code.STOPPED_EARLY)))
        if isinstance(keeper, OSError):
            return _report_outcome(
                reporter, RunOutcome("exited", reason=Reason.of(Code.NOT_STARTED, error=str(keeper)))
            )
        ending = _supervise(Supervision(spec, keeper, reporter, remarks, worker), wake_socket)
        if ending.end_kind != "lost":
            hold_slot_until_survivors_end(report, spec, ending.survivors, worker.shutdown_notice)
        return ending


def _start_keeper(machine: Machine, lock: RunLock) -> KeeperClient | OSError:
    try:
        return machine.start_keeper(lock)
    except OSError as error:
        return error


def _supervise(supervision: Supervision, wake_socket: WakeSocket) -> RunOutcome:
    try:
        ending = supervision.run(wake_socket)
    except BaseException as error:  # the worker ends at once: the tree must not outlive it
        ending = supervision.kill_at_once(error)
        _report_outcome(supervision.reporter, ending)
        supervision.keeper.close()
        raise
    supervision.keeper.close_or_keep_idle()
    return _report_outcome(supervision.reporter, ending)


def _report_outcome(reporter: Reporter, ending: RunOutcome) -> RunOutcome:
    reporter.report_outcome(ending, output_first=ending.end_kind in ("exited", "interrupted"))
    finished = reporter.wait_until_reported()
    if finished or ending.end_kind == "lost":
        return ending
    not_saved = Reason.of(Code.REPORT_LATE if finished is False else Code.NOT_SAVED)
    reason = Reason.joined(ending.reason, not_saved) if ending.reason else not_saved
    return dataclasses.replace(ending, end_kind="lost", reason=reason)


class Supervision:
    """The loop that supervises one run by its keeper."""

    def __init__(
        self, spec: RunSpec, keeper: KeeperClient, reporter: Reporter, remarks: ChunkNumbering, worker: Worker
    ) -> None:
        self.keeper = keeper
        self.reporter = reporter
        self._spec = spec
        self._worker = worker
        self._selector = worker.machine.create_selector()
        self._pump = OutputReader(spec, keeper, reporter, remarks, self._selector)
        self._control = RunControl()
        self._replaced = ""  # why the keeper was replaced
        self._survivors: list[SurvivingProcess] = []
        reporter.watch_progress(keeper.progress)

    def run(self, wake_socket: WakeSocket) -> RunOutcome:
        """Start the command; returns when its tree is dead and its output has been forwarded."""
        with self._selector:
            self._register_event_sources(wake_socket)
            self.keeper.start_command(self._spec, self.reporter.deadline)
            while not (self.keeper.tree_is_dead or self._replaced):
                for key, _ in self._selector.select(self._longest_wait()):
                    key.data()
                self._pump.flush()
                self._pump.pause_or_resume_reading()
                for each in self._control.next_instructions(self.reporter, host_clock.boot(), host_clock.monotonic()):
                    self._send_instruction(each)
                self._check_keeper()
        if self.keeper.ended is None and not self._replaced:
            self._kill_without_keeper(Code.KEEPER_DIED)
        self._pump.read_remaining_output()
        observations = self._collect_observations()
        for remark in run_ending.make_log_remarks(self._spec, observations):
            self._pump.write_remark(remark)
        return run_ending.derive_outcome(self._spec, observations)

    def kill_at_once(self, error: BaseException) -> RunOutcome:
        """Kill the tree, in any state of the loop; wait for its end, and forward the output."""
        log.warning("run %s: killed, because its worker ends (%s)", self._spec.run_id, type(error).__name__)
        self.keeper.kill_tree()
        until = host_clock.monotonic() + run_control.KILL_TIMEOUT
        while not self.keeper.tree_is_dead and host_clock.monotonic() < until:
            host_clock.sleep(0.01)
            self.keeper.read_messages()
        if self.keeper.ended is None:
            self._worker.machine.kill_processes_with_run_marker(self._spec.run_id, self.keeper.alive_pid)
        self._pump.read_remaining_output()
        reason = Reason.of(Code.WORKER_ENDED, host=self._worker.host)
        self._pump.write_remark(f"Killed: {run_ending.reason_in_english(reason)}.")
        return RunOutcome("interrupted", reason=reason)

    def _register_event_sources(self, wake_socket: WakeSocket) -> None:
        def woken() -> None:
            wake_socket.clear()
            self.reporter.renew_now()

        def worker_ends(notice: ShutdownNotice) -> None:
            self._selector.unregister(notice)  # it stays readable
            self._control.stop_at = notice.stop_at

        self._selector.register(self.keeper.connection, selectors.EVENT_READ, self.keeper.read_messages)
        self._selector.register(self.reporter, selectors.EVENT_READ, self.reporter.clear_wakeups)
        self._selector.register(wake_socket, selectors.EVENT_READ, woken)
        if (notice := self._worker.shutdown_notice) is not None:
            self._selector.register(notice, selectors.EVENT_READ, partial(worker_ends, notice))

    def _longest_wait(self) -> float:
        waits = (
            self._pump.next_flush_time - host_clock.monotonic(),
            self._control.seconds_to_next_decision(self.reporter, host_clock.boot()),
            _LONGEST_WAIT_SECONDS,
        )
        return max(min(waits), 0.0)

    def _send_instruction(self, instruction: Instruction) -> None:
        match instruction:
            case KillInstruction():
                self.reporter.mark_lease_lost(instruction.why)
                self.keeper.kill_tree()
            case ExtendInstruction():
                self.keeper.extend_deadline(instruction.deadline)
            case StopInstruction():
                self.keeper.stop_command()

    def _check_keeper(self) -> None:
        silent = self.keeper.seconds_without_answer
        fault = self._control.find_keeper_fault(
            seconds_without_answer=silent,
            seconds_since_death=self.keeper.seconds_since_death,
            monotonic=host_clock.monotonic(),
        )
        if fault:
            self._kill_without_keeper(fault)
        elif silent > run_control.MAX_KEEPER_SILENCE / 3:
            self.keeper.continue_keeper_if_stopped()

    def _kill_without_keeper(self, reason: str) -> None:
        self._replaced = reason
        self._survivors = self._worker.machine.kill_processes_with_run_marker(self._spec.run_id, self.keeper.alive_pid)

    def _collect_observations(self) -> run_ending.RunObservations:
        last = self.keeper.ended or {}
        return run_ending.RunObservations(
            host=self._worker.host,
            keeper_report=last,
            keeper_error=self.keeper.crashed,
            lease_lost_because=self._control.lease_lost_because,
            keeper_replaced_because=self._replaced,
            survivors=[*self._survivors, *(SurvivingProcess(*each) for each in last.get("survivors", []))],
            stopped_by=self.reporter.stop_requested_by,
            interrupted=self._control.interrupted,
            wrote_stderr=self._pump.wrote_stderr,
            last_stderr_line=self._pump.last_stderr_line,
            progress=progress.read_progress_record(self.keeper.progress),
        )
