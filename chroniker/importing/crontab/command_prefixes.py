"""Removes prefixes of a command line that set its environment, its limits or its lock: ``cd``, ``env``, ``flock`` …"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from chroniker.importing.crontab.redirections import remove_log_redirections
from chroniker.importing.crontab.shell_words import (
    ASSIGNMENT_WORD_PATTERN,
    SHELL_WORD_REGEX,
    can_run_without_shell,
    unquote_word,
)
from chroniker.models import Overlap

SEPARATOR_PATTERN = r"\s*(?:&&|;)\s*"
CD_PATTERN = re.compile(rf"^\s*cd\s+(?P<directory>{SHELL_WORD_REGEX}){SEPARATOR_PATTERN}(?P<rest>.*)$", re.DOTALL)
ACTIVATE_PATTERN = re.compile(
    rf"^\s*(?:\.|source)\s+(?P<file>{SHELL_WORD_REGEX}){SEPARATOR_PATTERN}(?P<rest>.*)$", re.DOTALL
)
EXPORT_PATTERN = re.compile(
    rf"^\s*export\s+(?P<name>[A-Za-z_]\w*)=(?P<value>{SHELL_WORD_REGEX})?{SEPARATOR_PATTERN}(?P<rest>.*)$", re.DOTALL
)
VARIABLE_PATTERN = re.compile(rf"\s*(?P<name>[A-Za-z_]\w*)=(?P<value>{SHELL_WORD_REGEX})?\s+")
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
SECONDS_PER_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
MAX_NESTING = 5


@dataclass(slots=True)
class UnwrappedCommand:
    """A command without its prefixes, and the effects of the prefixes."""

    words: list[str] = field(default_factory=list)
    directory: str = ""
    variables: list[str] = field(default_factory=list)
    "As NAME=value."
    files: list[str] = field(default_factory=list)
    "Where its output went."
    timeout_seconds: int | None = None
    overlap: str = ""
    notes: list[str] = field(default_factory=list)

    def change_directory(self, directory: str, home: str) -> None:
        self.directory = str(Path(home, self.directory, directory))


def unwrap_command(line: str, home: str) -> UnwrappedCommand | None:
    """Remove the known prefixes. None if the rest of the line needs a shell."""
    found = UnwrappedCommand()
    for _level in range(MAX_NESTING):
        redirected = remove_log_redirections(line)
        found.files += redirected.files
        body = _remove_leading_statements(redirected.command, home, found)
        if body is None or not can_run_without_shell(body):
            return None
        words: list[str] | None = shlex.split(body)
        while words and (remove := PREFIX_REMOVERS.get(Path(words[0]).name)):
            words = remove(words[1:], found)
        if not words:
            return None
        inner = _script_of_shell_call(words, found)
        if inner is None:
            found.words = words
            return found
        line = inner
    return None


def _remove_leading_statements(body: str, home: str, unwrapped: UnwrappedCommand) -> str | None:
    """The body without ``cd DIR &&``, ``. venv/bin/activate &&``, ``export A=b;`` and ``A=b`` at its beginning."""
    while True:
        if match := CD_PATTERN.match(body):
            unwrapped.change_directory(unquote_word(match["directory"]), home)
        elif match := ACTIVATE_PATTERN.match(body):
            script = Path(unquote_word(match["file"]))
            if script.name != "activate":
                return None
            _add_environment_note(str(script.parent.parent), unwrapped)
        elif match := EXPORT_PATTERN.match(body):
            unwrapped.variables.append(f"{match['name']}={unquote_word(match['value'] or '')}")
        elif match := VARIABLE_PATTERN.match(body):
            unwrapped.variables.append(f"{match['name']}={unquote_word(match['value'] or '')}")
            body = body[match.end() :]
            continue
        else:
            return body
        body = match["rest"]


def _script_of_shell_call(words: list[str], unwrapped: UnwrappedCommand) -> str | None:
    """The script of ``bash -lc 'script'``. None for any other command."""
    if Path(words[0]).name not in SHELLS:
        return None
    options = words[1:-1]
    letters = "".join(option[1:] for option in options)
    if not options or not all(re.fullmatch(r"-[celu]+", option) for option in options) or "c" not in letters:
        return None
    if "l" in letters:
        unwrapped.notes.append(
            _("It ran in a login shell: variables that the shell's profile sets must be added to the environment.")
        )
    return words[-1]


def _add_environment_note(name: str, unwrapped: UnwrappedCommand) -> None:
    unwrapped.notes.append(
        _("It ran in the environment “%(name)s”; here it runs in the environment of the worker.") % {"name": name}
    )


def _remove_env(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    while words and ASSIGNMENT_WORD_PATTERN.match(words[0]):
        unwrapped.variables.append(words[0])
        words = words[1:]
    return None if words and words[0].startswith("-") else words


def _remove_nice(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    level = "10"
    if words and words[0] in ("-n", "--adjustment"):
        level, words = words[1] if len(words) > 1 else "", words[2:]
    elif words and (match := re.fullmatch(r"(?:-n|--adjustment=|-)(-?\d+)", words[0])):
        level, words = match[1], words[1:]
    unwrapped.notes.append(
        _("It ran with the priority of “nice %(level)s”; here it runs with the priority of the worker.")
        % {"level": level}
    )
    return words


def _remove_ionice(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    rest = _remove_options(words, flags=("-t",), with_value=("-c", "-n", "--class", "--classdata"))
    unwrapped.notes.append(
        _("It ran with another I/O priority (ionice); here it runs with the priority of the worker.")
    )
    return rest


def _remove_timeout(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    rest = _remove_options(
        words,
        flags=("-f", "-p", "-v", "--foreground", "--preserve-status", "--verbose"),
        with_value=("-s", "-k", "--signal", "--kill-after"),
    )
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", rest[0]) if rest else None
    if rest is None or match is None:
        return None
    unwrapped.timeout_seconds = math.ceil(float(match[1]) * SECONDS_PER_UNIT[match[2]]) or None
    unwrapped.notes.append(_("“timeout %(limit)s” became the job's timeout.") % {"limit": rest[0]})
    return rest[1:]


def _remove_flock(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    options = words[: len(words) - len(_remove_options(words, FLOCK_FLAGS, FLOCK_OPTIONS_WITH_VALUE) or words)]
    rest = words[len(options) :]
    if len(rest) < 2 or rest[0].startswith("-"):
        return None
    skips = bool({"-n", "--nb", "--nonblock"} & set(options))
    unwrapped.overlap = Overlap.SKIP.value if skips else Overlap.WAIT.value
    unwrapped.notes.append(
        _(
            "The lock %(file)s (flock) became the overlap rule “%(overlap)s”. If other commands use this lock, "
            "put their jobs and this one into a group with a limit of 1."
        )
        % {"file": rest[0], "overlap": Overlap(unwrapped.overlap).label}
    )
    command = rest[1:]
    return ["sh", "-c", command[1]] if command[0] in ("-c", "--command") and len(command) == 2 else command


FLOCK_FLAGS = ("-n", "--nb", "--nonblock", "-x", "-e", "--exclusive", "-o", "--close", "-F", "--no-fork", "--verbose")
FLOCK_OPTIONS_WITH_VALUE = ("-w", "--wait", "--timeout", "-E", "--conflict-exit-code")


def _make_remover_of_environment_runner(tool: str) -> Callable[[list[str], UnwrappedCommand], list[str] | None]:
    def remove(words: list[str], found: UnwrappedCommand) -> list[str] | None:
        if not words or words[0] != "run":
            return None
        rest = _remove_options(words[1:], flags=("--no-sync", "--frozen", "--locked", "-q", "--quiet", "-n"))
        _add_environment_note(tool, found)
        return rest

    return remove


def _remove_wrapper_without_effect(words: list[str], unwrapped: UnwrappedCommand) -> list[str] | None:
    """For a command that runs another one, and has no other effect here."""
    return words


def _remove_options(words: list[str], flags: tuple[str, ...], with_value: tuple[str, ...] = ()) -> list[str] | None:
    """The words after the options. None for an unknown option."""
    while words and words[0].startswith("-"):
        name, equals, _value = words[0].partition("=")
        if name in flags or (equals and name in with_value):
            words = words[1:]
        elif name in with_value:
            words = words[2:]
        elif any(len(each) == 2 and name.startswith(each) for each in with_value):  # -c3
            words = words[1:]
        elif words[0] == "--":
            return words[1:]
        else:
            return None
    return words


#: By command: gets the words after its name, returns the words of the inner command. None: its use is not known.
PREFIX_REMOVERS: dict[str, Callable[[list[str], UnwrappedCommand], list[str] | None]] = {
    "env": _remove_env,
    "nice": _remove_nice,
    "ionice": _remove_ionice,
    "timeout": _remove_timeout,
    "flock": _remove_flock,
    "nohup": _remove_wrapper_without_effect,
    "setsid": _remove_wrapper_without_effect,
    "chronic": _remove_wrapper_without_effect,
    **{tool: _make_remover_of_environment_runner(tool) for tool in ("poetry", "pipenv", "uv", "pdm", "hatch", "rye")},
}
