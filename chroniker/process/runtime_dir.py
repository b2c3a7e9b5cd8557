"""The runtime directory: its locks and sockets can be trusted only if no other user can create files in it.

It may be in the temporary directory, where another user could create a directory with its name first. So it is checked
before each use, not only at the start.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def ensure_private_directory(directory: Path) -> None:
    """Create the directory for this user, if it does not exist. Raises ``OSError`` if others can write to it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if problem := find_directory_problem(directory, os.geteuid()):
        raise PermissionError(f"The runtime directory {directory} {problem}.")


def find_directory_problem(directory: Path, *allowed_users: int) -> str:
    """Why the directory is not safe: another user owns it or can write to it. Empty: it is safe. The text is written
    after the directory's name."""
    link = directory.lstat()
    if stat.S_ISLNK(link.st_mode) and link.st_uid not in (0, *allowed_users):
        return f"is a link of user {link.st_uid}"
    status = directory.stat()
    if status.st_uid not in allowed_users:
        return f"belongs to user {status.st_uid}, not to {allowed_users[0]}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"is writable by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""
