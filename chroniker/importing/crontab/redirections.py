"""Removes redirections of output to log files from a command: here, the output is kept with each run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chroniker.importing.crontab.shell_words import SHELL_WORD_REGEX, unquote_word

REDIRECTION_PATTERN = re.compile(
    rf"\s*(?P<all>&>>?|>&)\s*(?P<all_file>{SHELL_WORD_REGEX})\s*$"
    rf"|\s+(?P<stream>[12]?)(?P<operator>>>?)\s*(?P<file>{SHELL_WORD_REGEX})\s*$"
    r"|\s+(?P<merged>2>&1)\s*$"
    r"|\s+<\s*/dev/null\s*$"
)
LOG_FILE_NAME_PATTERN = re.compile(r"\.(log|out|err)(\.\w+)?$|^/var/log/|^/dev/(null|std(out|err)$)")


@dataclass(frozen=True, slots=True)
class CommandWithoutRedirections:
    command: str
    files: tuple[str, ...] = ()
    "Where the output went, without /dev/null."


def remove_log_redirections(command: str) -> CommandWithoutRedirections:
    """The command without the redirections at its end, if they write a log.

    A file that receives standard output alone (``dumpdata > shop.json``) is treated as the result of the command,
    unless it has the name of a log or is appended to. Then the command is returned unchanged.
    """
    files: list[str] = []
    rest, is_result, is_merged = command, False, False
    while match := REDIRECTION_PATTERN.search(rest):
        rest = rest[: match.start()]
        if match["merged"]:
            is_merged = True
        elif match["all"]:
            files.insert(0, unquote_word(match["all_file"]))
        elif match["file"]:
            file = unquote_word(match["file"])
            files.insert(0, file)
            writes_stdout = match["stream"] != "2" and match["operator"] == ">"
            is_result = is_result or (writes_stdout and not LOG_FILE_NAME_PATTERN.search(file))
    if is_result and not is_merged:
        return CommandWithoutRedirections(command)
    return CommandWithoutRedirections(rest, tuple(file for file in files if file != "/dev/null"))
