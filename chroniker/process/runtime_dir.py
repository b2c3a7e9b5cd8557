"""The runtime directory: its locks and sockets can be trusted only if no other user can create files in it.

It may be in the temporary directory, where another user could create one of its name first. So it is checked before
each use, not only at the start.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def prepare(directory: Path) -> None:
    """Create it for this user only, if it does not exist. Raises ``OSError`` when other users can write to it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if problem := ownership_problem(directory, os.geteuid()):
        raise PermissionError(f"The runtime directory {directory} {problem}.")


def ownership_problem(directory: Path, *users: int) -> str:
    """The problem with a directory that must belong to one of these users; empty if there is none."""
    link = directory.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, *users):
        return f"is a link of user {link.st_uid}"
    status = directory.stat()
    if status.st_uid not in users:
        return f"belongs to user {status.st_uid}, not to {users[0]}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"is writable by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
