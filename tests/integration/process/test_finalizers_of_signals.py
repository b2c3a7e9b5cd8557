"""The fork server leaves the finalizers of signal receivers out of the end of its forks, and no others."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import django
import pytest
from django.dispatch import Signal

from chroniker.process.fork_server import skip_django_signal_finalizers_at_exit


class Owner:
    def receive(self, **_: object) -> None:
        """A receiver."""


@pytest.fixture(autouse=True)
def finalizers() -> Iterator[None]:
    """This process's own end stays as it was."""
    before = {each: each.atexit for each in list(weakref.finalize._registry)}  # type: ignore[attr-defined]
    yield
    for each, wanted in before.items():
        each.atexit = wanted


def test_only_the_finalizers_of_signals_are_left_out_and_dead_receivers_are_noticed() -> None:
    owner, signal = Owner(), Signal()
    signal.connect(owner.receive)
    own = weakref.finalize(owner, print)
    skip_django_signal_finalizers_at_exit()
    others = [
        each
        for each in list(weakref.finalize._registry)  # type: ignore[attr-defined]
        if (found := each.peek()) is not None and isinstance(getattr(found[1], "__self__", None), Signal)
    ]
    assert others or django.VERSION >= (6, 0), "newer versions may have none"
    assert not any(each.atexit for each in others)
    assert own.atexit
    own.detach()
    del owner, found
    assert signal.send(sender=None) == []
