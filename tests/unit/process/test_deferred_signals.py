"""A signal that ends the process waits for a short step; a second one does not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chroniker.process.deferred_signals import deferred_signals


@pytest.fixture(autouse=True)
def handled() -> Iterator[list[str]]:
    steps: list[str] = []
    before = {each: signal.signal(each, lambda *_: steps.append("handled")) for each in (signal.SIGTERM, signal.SIGINT)}
    yield steps
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handled_after_the_step(handled: list[str], number: signal.Signals) -> None:
    with deferred_signals():
        signal.raise_signal(number)
        handled.append("end of the step")
    assert handled == ["end of the step", "handled"]


def test_a_second_signal_is_handled_at_once(handled: list[str]) -> None:
    with deferred_signals():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        handled.append("end of the step")
    assert handled == ["handled", "end of the step", "handled"]


def test_a_signal_is_handled_after_a_step_that_fails(handled: list[str]) -> None:
    with pytest.raises(LookupError), deferred_signals():
        signal.raise_signal(signal.SIGTERM)
        raise LookupError
    assert handled == ["handled"]


def test_without_a_signal_the_handlers_are_as_before(handled: list[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferred_signals():
        pass
    assert signal.getsignal(signal.SIGTERM) is before
    assert handled == []


def test_another_thread_defers_nothing() -> None:
    """Python refuses to set a signal's handler there."""

    def step() -> str:
        with deferred_signals():
            return "done"

    with ThreadPoolExecutor() as threads:
        assert threads.submit(step).result() == "done"
