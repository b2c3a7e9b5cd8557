"""The fork server: a process with Django loaded, one thread and no connections, from which keepers are forked.

It is a new Python, so forking from it is safe under every kind of worker, and a command starts in milliseconds. If it
dies, its keepers continue, each with its own supervisor; it is started again, or the next keepers are started cold.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
import weakref
from contextlib import suppress

from chroniker.process import command_main
from chroniker.process.command_exit import remember_open_files
from chroniker.process.command_start import record_environment_reads, run_project_setup
from chroniker.process.keeper_parent import KeeperParent
from chroniker.process.keeper_process import ignore_signals
from chroniker.process.kernel import set_process_name
from chroniker.process.run_spec import RUN_ID_VARIABLE
from chroniker.process.startup_threads import list_project_threads


def main() -> None:
    """Run the fork server. `argv`: the descriptor of the socket for requests."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    requests.set_inheritable(False)
    os.environ.pop(RUN_ID_VARIABLE, None)  # the placeholder was for /proc, see `run_marker`
    set_process_name("chroniker-fork")
    ignore_signals()
    with record_environment_reads():
        preload_django()
    if threading.active_count() > 1:
        names = ", ".join(list_project_threads()) or "of unknown origin"
        sys.exit(
            f"chroniker: the project's start-up left threads running: {names}. A process with threads cannot be forked"
            " safely, so each run waits for a start of Django (see the check chroniker.W013)"
        )
    gc.disable()
    gc.collect()
    skip_django_signal_finalizers_at_exit()
    remember_open_files()
    gc.freeze()  # forks share these pages until their garbage collector writes to them
    KeeperParent(requests).serve()
    os._exit(0)


def preload_django() -> None:
    """Load the modules that every command needs, and close the connections that forks must not share."""
    run_project_setup()
    import django

    django.setup()
    from django.core.cache import caches
    from django.core.checks import run_checks
    from django.core.management import get_commands
    from django.db import connections

    get_commands()
    with suppress(Exception):  # a check that raises also raises in each command, and is reported there
        # The checks also import the URLs, the admin and other modules that a command loads at its start.
        found = run_checks()
        command_main.has_passed_system_checks = not any(each.is_serious() and not each.is_silenced() for each in found)
    # `all` creates the connections, which loads their drivers. One is open only if the project's start-up used it.
    for connection in connections.all():
        connection.close()
        getattr(connection, "close_pool", bool)()
    for alias in connections:
        del connections[alias]
    for cache in caches.all(initialized_only=True):
        cache.close()


def skip_django_signal_finalizers_at_exit() -> None:
    """Do not run Django's finalizers of signal receivers when a fork ends: they would only set flags there.

    Each would copy memory pages that the forks share. When a receiver is deleted, its finalizer still runs.
    """
    from django.dispatch import Signal

    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        found = finalizer.peek()
        if found is not None and isinstance(getattr(found[1], "__self__", None), Signal):
            finalizer.atexit = False
