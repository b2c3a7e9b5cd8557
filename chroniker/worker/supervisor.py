"""One run, from its start to its last report, in the process of a worker.

The loop here reads pipes and sockets, and nothing else: the database is the reporter's, the processes are the
keeper's. It may run in any thread, many at once: it installs no signal handlers and waits for no child but its own.
"""

from __future__ import annotations

import dataclasses
import logging
import selectors
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from chroniker.process import progress, run_marker
from chroniker.process.fork_server_client import ForkServer
from chroniker.process.keeper_client import KeeperClient
from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.worker import end_reasons
from chroniker.worker.output import REMARKS, Numbering
from chroniker.worker.output_pump import OutputPump
from chroniker.worker.report_interface import REFUSED, Report
from chroniker.worker.reporter import Reporter
from chroniker.worker.run_lock import RunLock
from chroniker.worker.shutdown_notice import ShutdownNotice
from chroniker.worker.wake_socket import WakeSocket

log = logging.getLogger(__name__)

KILL_PATIENCE = 5.0  #: how long a keeper that was told to kill may take before it is replaced by a sweep
SILENCE = 15.0  #: how long a keeper may leave a message unanswered; it is woken after a third of this
_LONGEST_WAIT = 1.0
_OURS = {"exited", "timed_out", "stopped"}
_STOPPED = {"timed_out": "Timed out", "stopped": "Stopped", "interrupted": "Stopped, because its worker shuts down"}


def execute(
    report: Report,
    nursery: ForkServer | None,
    *,
    runtime_dir: Path,
    host: str = "",
    farewell: ShutdownNotice | None = None,
) -> RunOutcome | None:
    """Execute one claimed run, and report it. None: the start was refused, somebody else has this run.

    ``farewell``: says that the worker ends, and when the run is to be stopped for it.

    When this returns, the run's processes are dead. Its row shows the ending, unless that says `lost`: then the
    report came too late, or could not be made, and a tick has decided, or will.
    """
    with ExitStack() as stack:
        lock = RunLock.take(runtime_dir, report.run_id)
        if lock is None:
            report.note(REFUSED, f"A process on {host or 'this host'} is executing this run already.")
            return None
        stack.enter_context(lock)
        doorbell = stack.enter_context(WakeSocket(runtime_dir, report.run_id))
        remarks = Numbering(REMARKS)
        reporter = Reporter(report, remarks)
        stack.callback(reporter.close)
        reporter.begin()
        # While the database is asked for the run, a keeper comes into being; without an order it runs nothing.
        lifeline = _begin(nursery, lock)
        if isinstance(lifeline, KeeperClient):
            stack.callback(lifeline.close)
        order = reporter.order()
        if order is None:
            return None
        if order.stop_requested:
            return _tell(reporter, RunOutcome("stopped", reason=end_reasons.asked_before_start()))
        if isinstance(lifeline, OSError):
            return _tell(reporter, RunOutcome("exited", reason=end_reasons.not_started(lifeline)))
        supervision = Supervision(order, lifeline, reporter, doorbell, remarks, farewell, host or "this host")
        return _carry_out(supervision, order, reporter, lifeline)


def _begin(nursery: ForkServer | None, lock: RunLock) -> KeeperClient | OSError:
    try:
        return KeeperClient.begin(nursery, lock.descriptor)
    except OSError as error:
        return error


def _carry_out(supervision: Supervision, order: RunSpec, reporter: Reporter, lifeline: KeeperClient) -> RunOutcome:
    try:
        ending = supervision.run()
    except BaseException as error:  # the worker is told to die: not without the tree
        log.warning("run %s: killed, because its worker ends (%s)", order.run_id, type(error).__name__)
        why = end_reasons.told_to_end(supervision.host)
        supervision.abandon(why)
        _tell(reporter, RunOutcome("interrupted", reason=why))
        raise
    finally:
        lifeline.close()
    return _tell(reporter, ending)


def _tell(reporter: Reporter, ending: RunOutcome) -> RunOutcome:
    reporter.finish(ending, drain_first=ending.how in ("exited", "interrupted"))
    told = reporter.wait()
    if told or ending.how == "lost":
        return ending
    return dataclasses.replace(
        ending, how="lost", reason=f"{ending.reason}; {end_reasons.result_not_saved(late=told is False)}"
    )


class Supervision:
    """The loop over one keeper."""

    def __init__(
        self,
        order: RunSpec,
        lifeline: KeeperClient,
        reporter: Reporter,
        doorbell: WakeSocket,
        remarks: Numbering,
        farewell: ShutdownNotice | None,
        host: str,
    ) -> None:
        self.host = host
        self._order = order
        self._lifeline = lifeline
        self._reporter = reporter
        self._doorbell = doorbell
        self._selector = selectors.DefaultSelector()
        self._pump = OutputPump(order, lifeline, reporter, remarks, self._selector)
        self._told_renewals = 0
        self._told_stop = False
        self._stop_at = float("inf")  # boot clock: when it is stopped, because its worker ends
        self._left_behind = False  # and was
        self._lost = ""  # why the tree is to die at once
        self._kill_told_at = float("inf")
        self._replaced = ""  # what was wrong with the keeper
        self._survivors: list[str] = []
        reporter.watch_progress(lifeline.progress)
        self._selector.register(lifeline.wire, selectors.EVENT_READ, lifeline.read)
        self._selector.register(reporter, selectors.EVENT_READ, reporter.hush)
        self._selector.register(doorbell, selectors.EVENT_READ, self._answer_door)
        if farewell is not None:
            self._selector.register(farewell, selectors.EVENT_READ, partial(self._worker_ends, farewell))

    def run(self) -> RunOutcome:
        """Let the command begin; returns when its tree is dead and its output has been passed on."""
        with self._selector:
            self._lifeline.go(self._order, self._deadline)
            while not (self._lifeline.is_over or self._replaced):
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._pump.flush()
                self._pump.balance()
                self._pass_on()
                self._look_after_keeper()
        if self._lifeline.ended is None and not self._replaced:
            self._replace_keeper(end_reasons.DIED)
        self._pump.finish()
        return self._ending()

    def abandon(self, why: str) -> None:
        """Have the tree killed, whatever state the loop was left in; waits for it, and passes on what it wrote."""
        self._lifeline.kill()
        until = time.monotonic() + KILL_PATIENCE
        while not self._lifeline.is_over and time.monotonic() < until:
            time.sleep(0.01)
            self._lifeline.read()
        if self._lifeline.ended is None:
            run_marker.kill_marked_processes(self._order.run_id, self._lifeline.alive_pid)
        self._pump.finish()
        self._pump.remark(f"Killed: {why}.")

    @property
    def _deadline(self) -> float | None:
        return None if self._order.fenced_by_lock else self._reporter.deadline

    def _patience(self) -> float:
        wait = min(_LONGEST_WAIT, self._pump.flush_at - time.monotonic())
        if self._deadline is not None and not self._lost:
            wait = min(wait, self._deadline - boot_clock())
        if not self._told_stop:
            wait = min(wait, self._stop_at - boot_clock())
        return max(wait, 0.0)

    def _answer_door(self) -> None:
        self._doorbell.remove()
        self._reporter.renew_now()

    def _worker_ends(self, farewell: ShutdownNotice) -> None:
        self._selector.unregister(farewell)  # it stays readable
        self._stop_at = farewell.stop_at

    def _pass_on(self) -> None:
        """From the reporter to the keeper: a lost lease, a later deadline, a stop."""
        if self._lost:
            return
        if self._reporter.lost:
            self._kill(self._reporter.lost)
        elif self._deadline is not None and boot_clock() >= self._deadline:
            self._kill(end_reasons.LATE)
        elif self._reporter.renewals != self._told_renewals:
            self._told_renewals = self._reporter.renewals
            self._lifeline.extend(self._deadline)
        if self._reporter.stop and not self._told_stop:
            self._told_stop = True
            self._lifeline.stop()
        if boot_clock() >= self._stop_at and not self._told_stop:
            self._told_stop = self._left_behind = True
            self._lifeline.stop()

    def _kill(self, why: str) -> None:
        self._lost = why
        self._reporter.give_up(why)
        self._kill_told_at = time.monotonic()
        self._lifeline.kill()

    def _look_after_keeper(self) -> None:
        """All that it sent has been read by now: what is unanswered is so for real."""
        silent = self._lifeline.silent_for
        if silent > SILENCE:
            self._replace_keeper(end_reasons.SILENT)
        elif time.monotonic() - self._kill_told_at > KILL_PATIENCE:
            self._replace_keeper(end_reasons.TOO_SLOW)
        elif self._lifeline.dead_for > KILL_PATIENCE:  # and its guard, if it has one, does nothing about it
            self._replace_keeper(end_reasons.DIED)
        elif silent > SILENCE / 3:
            self._lifeline.wake()

    def _replace_keeper(self, why: str) -> None:
        self._replaced = why
        self._survivors = run_marker.kill_marked_processes(self._order.run_id, self._lifeline.alive_pid)

    def _ending(self) -> RunOutcome:
        said = self._lifeline.ended or {}
        exit_code = said.get("exit_code")
        how = said.get("how", "exited")
        if self._lost or how not in _OURS:
            how = "lost"
        elif how == "stopped" and self._left_behind:
            how = "interrupted"
        self._survivors += said.get("survivors", [])
        self._remark(how, said.get("killed", 0), said.get("names", []))
        return RunOutcome(
            how=how,
            exit_code=exit_code,
            reason=self._reason(how, exit_code),
            wrote_stderr=self._pump.wrote_stderr,
            progress=progress.read(self._lifeline.progress),
            cpu_seconds=said.get("cpu_seconds", 0.0),
            max_rss_kb=said.get("max_rss_kb", 0),
        )

    def _reason(self, how: str, exit_code: int | None) -> str:
        words = [end_reasons.of_exit(exit_code)]
        if how == "timed_out":
            words.insert(0, end_reasons.too_long(self._order.timeout))
        elif how == "stopped":
            words.insert(0, end_reasons.asked_by(self._reporter.stop))
        elif how == "interrupted":
            words.insert(0, end_reasons.shut_down(self.host))
        elif how == "lost":
            words = [end_reasons.said(self._lost or end_reasons.LATE)]
        if self._replaced:
            words.append(end_reasons.said(self._replaced))
        if self._survivors:
            words.append(end_reasons.survived(self._survivors))
        return "; ".join(words)

    def _remark(self, how: str, killed: int, names: list[str]) -> None:
        """What the log itself says about an end that was not the command's own."""
        listed = f"{killed} ({'; '.join(names)})"
        if how == "exited" and killed:
            self._pump.remark(f"Processes that the command left behind were killed: {listed}.")
        elif how in _STOPPED:
            why = _STOPPED[how]
            rest = f"SIGKILL to those left after {self._order.grace:g} seconds: {listed}" if killed else "all ended"
            self._pump.remark(f"{why}: SIGTERM to the whole tree; {rest}.")
        elif how == "lost":
            self._pump.remark(f"Killed: {self._lost or end_reasons.LATE}. The end may be missing.")
        if self._replaced:
            self._pump.remark(f"{self._replaced.capitalize()}. {self._lifeline.crashed}".strip())
