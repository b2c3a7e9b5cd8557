"""The environment variables, secrets and working directory of a command.

Validated when a job is saved. Secrets are resolved only on the host that executes the command: a secret is never
stored, never part of a message, and never part of an exception.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from django.conf import settings as django_settings
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import placeholders
from chroniker.job_commands.placeholders import Values

#: Prefix of the variables that the run sets.
RESERVED_PREFIX = "CHRONIKER_"

#: Variables that can make a program run any code, so they need raw commands. Other programs have more such variables.
CODE_CHANGING_VARIABLES = (
    *("PATH", "LD_*", "DYLD_*", "GCONV_PATH", "OPENSSL_*"),
    *("PYTHON*", "DJANGO_SETTINGS_MODULE"),
    *("BASH_ENV", "ENV", "IFS"),
)

#: How many characters all variables of a job may have together.
MAX_VARIABLES_LENGTH = 131_072

_NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SecretSource(NamedTuple):
    """Where a secret is stored: in a setting of the project, or in an environment variable of the worker."""

    kind: str
    name: str


def parse_variables(text: str) -> dict[str, str]:
    """Parse ``NAME=value`` lines. Raises ``CommandRefused`` with the number of an invalid line."""
    found: dict[str, str] = {}
    number_of_placeholders = 0
    for number, name, value in _split_lines(text, _("Write NAME=value.")):
        _refuse_repeated(number, name, found)
        try:
            number_of_placeholders += len(placeholders.extract_placeholders(value)[1])
            placeholders.fill(value, placeholders.SAMPLE_VALUES)
        except CommandRefused as refusal:
            raise _make_line_refusal(number, str(refusal), "") from refusal
        found[name] = value
    if number_of_placeholders > placeholders.MAX_PLACEHOLDERS:
        raise CommandRefused(_("There are more than %(n)d placeholders.") % {"n": placeholders.MAX_PLACEHOLDERS})
    return found


def parse_secrets(text: str) -> dict[str, SecretSource]:
    """Parse ``NAME=setting:SETTING`` and ``NAME=env:VARIABLE`` lines.

    Raises ``CommandRefused``, which never repeats the text after "=": it may be the secret itself, written by mistake.
    """
    form = _("Write NAME=setting:SETTING or NAME=env:VARIABLE; the value itself is not stored here.")
    found: dict[str, SecretSource] = {}
    for number, name, value in _split_lines(text, form):
        kind, colon, where = value.strip().partition(":")
        if kind not in ("setting", "env") or not colon or not _NAME_PATTERN.match(where):
            raise _make_line_refusal(number, _("“%(name)s” has no valid source.") % {"name": name}, form)
        if kind == "setting" and not where.isupper():
            error = _("“%(name)s” does not refer to a setting.") % {"name": name}
            raise _make_line_refusal(number, error, _("Write the name of a setting in upper case."))
        _refuse_repeated(number, name, found)
        found[name] = SecretSource(kind, where)
    return found


def refuse_duplicate_names(environment: str, secret_lines: str) -> None:
    """Raise ``CommandRefused`` for a name that is both a variable and a secret."""
    if twice := parse_variables(environment).keys() & parse_secrets(secret_lines).keys():
        names = ", ".join(f"“{name}”" for name in sorted(twice))
        raise CommandRefused(
            _("%(names)s: given as a variable and as a secret. Remove one of the two.") % {"names": names}
        )


def parse_working_directory(text: str) -> str | None:
    """The working directory, or None for that of the worker. It need not exist on this host."""
    if not text:
        return None
    if not Path(text).is_absolute():
        message = _("“%(path)s” is not an absolute path; write it like /srv/shop. “~” and variables are not expanded.")
        raise CommandRefused(message % {"path": text})
    return text


def resolve_environment(
    environment: str, secret_lines: str, values: Values = placeholders.SAMPLE_VALUES
) -> dict[str, str]:
    """The variables, with these values of placeholders, and the secrets of this process.

    Raises ``CommandRefused`` for a missing secret or value.
    """
    found = {name: _read_secret(name, source) for name, source in parse_secrets(secret_lines).items()}
    variables = {name: placeholders.fill(value, values) for name, value in parse_variables(environment).items()}
    return {**variables, **found}


def resolve_working_directory(text: str) -> str | None:
    """Like ``parse_working_directory``. Raises ``CommandRefused`` if the directory does not exist on this host."""
    path = parse_working_directory(text)
    if path is not None and not Path(path).is_dir():
        names = {"path": path, "host": settings.hostname}
        raise CommandRefused(_("There is no working directory “%(path)s” on %(host)s.") % names)
    return path


def _read_secret(name: str, source: SecretSource) -> str:
    names = {"name": name, "source": source.name, "host": settings.hostname}
    if source.kind == "env":
        value: object = os.environ.get(source.name)
        missing = _("The secret “%(name)s” is missing: the worker on %(host)s has no variable “%(source)s”.")
    else:
        value = getattr(django_settings, source.name, None)
        missing = _("The secret “%(name)s” is missing: the worker on %(host)s has no setting “%(source)s”.")
    if value is None:
        raise CommandRefused(missing % names)
    if not isinstance(value, str) or "\0" in value:
        unusable = _(
            "The secret “%(name)s” cannot be used: the value of “%(source)s” is not text, or contains a NUL character."
        )
        raise CommandRefused(unusable % names)
    return value


def _split_lines(text: str, hint: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and value of each line, without empty lines and comments."""
    if len(text) > MAX_VARIABLES_LENGTH:
        message = _("The text has %(n)d characters; at most %(max)d are allowed.")
        raise CommandRefused(message % {"n": len(text), "max": MAX_VARIABLES_LENGTH})
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals:
            raise _make_line_refusal(number, _("“=” is missing."), hint)
        if not _NAME_PATTERN.match(name):
            raise _make_line_refusal(
                number, _("“%(name)s” is not a valid name.") % {"name": name}, _("Use letters, digits and _.")
            )
        if name.upper().startswith(RESERVED_PREFIX):
            raise _make_line_refusal(
                number, _("“%(name)s” is reserved.") % {"name": name}, _("Names must not begin with CHRONIKER_.")
            )
        if not settings.raw_commands_allowed and any(
            fnmatchcase(name.upper(), pattern) for pattern in CODE_CHANGING_VARIABLES
        ):
            raise _make_line_refusal(
                number,
                _("“%(name)s” can change which code runs.") % {"name": name},
                _("Such names are refused while raw commands are disabled (CHRONIKER_DISABLE_RAW_COMMAND)."),
            )
        if "\0" in value:
            raise _make_line_refusal(number, _("a variable cannot contain a NUL character."), hint)
        yield number, name, value


def _refuse_repeated(line_number: int, name: str, earlier: dict[str, str] | dict[str, SecretSource]) -> None:
    if name in earlier:
        raise _make_line_refusal(
            line_number, _("“%(name)s” is repeated.") % {"name": name}, _("Remove one of the two.")
        )


def _make_line_refusal(line_number: int, error: str, hint: str) -> CommandRefused:
    text = _("Line %(n)d: %(error)s %(hint)s") % {"n": line_number, "error": error, "hint": hint}
    return CommandRefused(text.rstrip())
