"""The runtime directory must be private: other users must not be able to create locks and sockets in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error

from chroniker.conf import settings
from chroniker.process.runtime_dir import find_directory_problem

#: Except on Linux, the full path of a socket must fit into 104 bytes, with a final zero byte.
MAX_PATH_LENGTH = 104 - 1 - len(f"/{'0' * 32}.sock")
RUNTIME_DIR_HINT = (
    "Set CHRONIKER_RUNTIME_DIR to a directory owned by the user of the scheduler and the workers, mode 0700."
)


def check_runtime_dir(**kwargs: Any) -> list[CheckMessage]:
    """Reports E009, E010."""
    given = getattr(django_settings, "CHRONIKER_RUNTIME_DIR", None)
    if given is not None and not isinstance(given, str | os.PathLike):
        return []  # E006
    directory = settings.runtime_dir
    if problem := _find_path_problem(directory):
        hint = "Give CHRONIKER_RUNTIME_DIR an absolute path, such as /run/chroniker."
        return [Error(f"The runtime directory {directory} {problem}.", hint=hint, id="chroniker.E009")]
    if problem := _find_privacy_problem(directory, default=given is None):
        return [Error(f"The runtime directory {directory} {problem}.", hint=RUNTIME_DIR_HINT, id="chroniker.E010")]
    return []


def _find_path_problem(directory: Path) -> str:
    if not directory.is_absolute():
        return "is not an absolute path"
    if sys.platform != "linux" and len(os.fsencode(directory)) > MAX_PATH_LENGTH:
        return f"has a path of more than {MAX_PATH_LENGTH} bytes, too long for the sockets in it"
    if directory.exists() and not directory.is_dir():
        return "is not a directory"
    return ""


def _find_privacy_problem(directory: Path, *, default: bool) -> str:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return "is not writable" if existing == directory else f"cannot be made: {existing} is not writable"
    if existing != directory:
        return ""
    # Root may check the directory of another user; the default one is root's own.
    owner = [directory.stat().st_uid] if os.geteuid() == 0 and not default else []
    return find_directory_problem(directory, os.geteuid(), *owner)
