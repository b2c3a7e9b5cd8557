"""Reads a run's two pipes and gives the output to the reporter. Stops while too much output waits; never blocks."""

from __future__ import annotations

import os
import select
import selectors
from functools import partial

from chroniker.process.keeper_client import KeeperClient
from chroniker.process.kernel import host_clock
from chroniker.process.run_spec import RunSpec
from chroniker.worker.output import STDERR, STDOUT, ChunkNumbering, OutputLimit, OutputStream
from chroniker.worker.reporter import Reporter

MAX_BACKLOG_LENGTH = 2 * 1024 * 1024  #: characters that may wait to be stored before the command waits on its pipe
_READ_SIZE_BYTES = 256 * 1024
_MAX_REMAINING_OUTPUT_BYTES = 4 * 1024 * 1024  #: more than both pipes can hold
_REMAINING_OUTPUT_TIMEOUT = 1.0


class OutputReader:
    """Reads both pipes of a run. It registers callbacks for them with a selector."""

    def __init__(
        self,
        spec: RunSpec,
        keeper: KeeperClient,
        reporter: Reporter,
        remarks: ChunkNumbering,
        selector: selectors.BaseSelector,
    ) -> None:
        allowance = OutputLimit(spec.log_max_bytes)
        self._reporter = reporter
        self._remarks = remarks
        self._selector = selector
        self._streams = {
            keeper.out: OutputStream(STDOUT, allowance, remarks),
            keeper.err: OutputStream(STDERR, allowance, remarks),
        }
        self._err = self._streams[keeper.err]
        wanted = ((keeper.out, spec.log_stdout), (keeper.err, spec.log_stderr))
        self._logged = {pipe for pipe, logged in wanted if logged}
        self._open = set(self._streams)
        self._reading = False
        self.pause_or_resume_reading()

    @property
    def wrote_stderr(self) -> bool:
        return self._err.received > 0

    @property
    def last_stderr_line(self) -> str:
        """The last line on stderr; empty if the job does not log stderr."""
        return self._err.last_line

    @property
    def next_flush_time(self) -> float:
        """When (monotonic clock) to forward the waiting text."""
        moments = (stream.next_flush_time for stream in self._streams.values())
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def write_remark(self, text: str) -> None:
        """Write a line of chroniker's own to the run's log."""
        self._reporter.queue_output([self._remarks.make_chunk(text + "\n")])

    def flush(self) -> None:
        """Forward text that has waited long enough."""
        now = host_clock.monotonic()
        for stream in self._streams.values():
            if stream.next_flush_time is not None and stream.next_flush_time <= now:
                self._reporter.queue_output(stream.flush())

    def pause_or_resume_reading(self) -> None:
        """Stop reading while too much output waits to be stored. Then the command waits on its pipe."""
        waits = self._reporter.backlog_length
        reading = waits < (MAX_BACKLOG_LENGTH if self._reading else MAX_BACKLOG_LENGTH // 2)
        if reading and not self._reading:
            for pipe in self._open:
                self._selector.register(pipe, selectors.EVENT_READ, partial(self._read, pipe))
        elif self._reading and not reading:
            for pipe in self._open:
                self._selector.unregister(pipe)
        self._reading = reading

    def read_remaining_output(self) -> None:
        """Read the rest of the pipes after the tree has died, and forward it.

        If a process outside the tree holds a pipe open, this pipe is read for one more second.
        """
        self._reading = False  # the selector no longer calls `_read`
        until = host_clock.monotonic() + _REMAINING_OUTPUT_TIMEOUT
        left = _MAX_REMAINING_OUTPUT_BYTES
        poll = select.poll()
        for pipe in self._open:
            poll.register(pipe, select.POLLIN)
        while self._open and left > 0 and host_clock.monotonic() < until:
            for pipe, _ in poll.poll(50):
                left -= self._read(pipe)
                if pipe not in self._open:
                    poll.unregister(pipe)
        for pipe, stream in self._streams.items():
            if pipe in self._logged:
                self._reporter.queue_output(stream.close())
        if self._open:
            self.write_remark(
                "A process outside of this run holds the run's output open; further output is not stored."
            )

    def _read(self, pipe: int) -> int:
        try:
            data = os.read(pipe, _READ_SIZE_BYTES)
        except BlockingIOError:
            return 0
        stream = self._streams[pipe]
        if not data:
            self._open.discard(pipe)
            if self._reading:
                self._selector.unregister(pipe)
        elif pipe in self._logged:
            self._reporter.queue_output(stream.feed(data))
        else:
            stream.received += len(data)
        return len(data)
