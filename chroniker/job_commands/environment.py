"""What a command starts with beside its arguments: variables, secrets, a directory.

Parsed when a job is saved; secrets are looked up where the command executes, and nowhere else: a value is never
stored, never in a message, and never in a text that this module raises.
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

#: Variables that the run itself sets begin like this.
RESERVED = "CHRONIKER_"

#: Who may set these can run what they like, so they go with raw commands. Not all there are: programs have their own.
CODE_VARIABLES = (
    *("PATH", "LD_*", "DYLD_*", "GCONV_PATH", "OPENSSL_*"),
    *("PYTHON*", "DJANGO_SETTINGS_MODULE"),
    *("BASH_ENV", "ENV", "IFS"),
)

#: Characters of all variables of a job together.
LONGEST = 131_072

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SecretSource(NamedTuple):
    """Where the value of a secret is kept: in a setting of the project, or a variable of the worker."""

    kind: str
    name: str


def parse_variables(text: str) -> dict[str, str]:
    """``NAME=value`` lines. Raises ``CommandRefused`` with the number of the line that is none."""
    found: dict[str, str] = {}
    for number, name, value in _lines(text, _("Write NAME=value.")):
        _refuse_known(number, name, found)
        found[name] = value
    return found


def parse_secrets(text: str) -> dict[str, SecretSource]:
    """``NAME=setting:SETTING`` and ``NAME=env:VARIABLE`` lines. An error never repeats what stands behind the "=":
    somebody may have written the secret itself there."""
    form = _("Write NAME=setting:SETTING or NAME=env:VARIABLE; the value itself is not kept here.")
    found: dict[str, SecretSource] = {}
    for number, name, value in _lines(text, form):
        kind, colon, where = value.strip().partition(":")
        if kind not in ("setting", "env") or not colon or not _NAME.match(where):
            raise _refusal(number, _("it is not said where the value of “%(name)s” is kept.") % {"name": name}, form)
        if kind == "setting" and not where.isupper():
            raise _refusal(number, _("“%(name)s” names no setting.") % {"name": name}, _("Settings are in upper case."))
        _refuse_known(number, name, found)
        found[name] = SecretSource(kind, where)
    return found


def refuse_duplicate_names(environment: str, secret_lines: str) -> None:
    """A name may be given once."""
    if twice := parse_variables(environment).keys() & parse_secrets(secret_lines).keys():
        names = ", ".join(f"“{name}”" for name in sorted(twice))
        raise CommandRefused(_("%(names)s: given as a variable too. Keep one of the two.") % {"names": names})


def check_directory(text: str) -> str | None:
    """The directory to start in, or ``None`` for the worker's. Whether it exists is asked where it executes."""
    if not text:
        return None
    if not Path(text).is_absolute():
        said = _("“%(path)s” is not an absolute path; write it like /srv/shop. “~” and variables are not expanded.")
        raise CommandRefused(said % {"path": text})
    return text


def resolve_environment(environment: str, secret_lines: str) -> dict[str, str]:
    """The variables, and the secrets as this process finds them; raises ``CommandRefused`` for one it does not."""
    found = {name: _value(name, source) for name, source in parse_secrets(secret_lines).items()}
    return {**parse_variables(environment), **found}


def resolve_directory(text: str) -> str | None:
    """Like ``directory``; raises ``CommandRefused`` where there is no such directory on this host."""
    path = check_directory(text)
    if path is not None and not Path(path).is_dir():
        words = {"path": path, "host": settings.hostname}
        raise CommandRefused(_("There is no working directory “%(path)s” on %(host)s.") % words)
    return path


def _value(name: str, source: SecretSource) -> str:
    words = {"name": name, "source": source.name, "host": settings.hostname}
    if source.kind == "env":
        value: object = os.environ.get(source.name)
        missing = _("The secret “%(name)s” is missing: the worker on %(host)s has no variable “%(source)s”.")
    else:
        value = getattr(django_settings, source.name, None)
        missing = _("The secret “%(name)s” is missing: the worker on %(host)s has no setting “%(source)s”.")
    if value is None:
        raise CommandRefused(missing % words)
    if not isinstance(value, str) or "\0" in value:
        raise CommandRefused(_("The secret “%(name)s” cannot be used: “%(source)s” is not text.") % words)
    return value


def _lines(text: str, form: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and value of each line; empty ones, and those that begin with “#”, are left out."""
    if len(text) > LONGEST:
        said = _("The variables have %(n)d characters; at most %(most)d are allowed.")
        raise CommandRefused(said % {"n": len(text), "most": LONGEST})
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals:
            raise _refusal(number, _("there is no “=” in it."), form)
        if not _NAME.match(name):
            raise _refusal(
                number, _("“%(name)s” is no name of a variable.") % {"name": name}, _("Letters, digits and _ make one.")
            )
        if name.upper().startswith(RESERVED):
            raise _refusal(
                number, _("“%(name)s” is reserved.") % {"name": name}, _("Names that begin with CHRONIKER_ are.")
            )
        if not settings.raw_commands_allowed and any(fnmatchcase(name.upper(), pattern) for pattern in CODE_VARIABLES):
            raise _refusal(
                number,
                _("“%(name)s” may decide which code runs.") % {"name": name},
                _("Such names are refused while raw commands are (CHRONIKER_DISABLE_RAW_COMMAND)."),
            )
        if "\0" in value:
            raise _refusal(number, _("a variable cannot hold a NUL."), form)
        yield number, name, value


def _refuse_known(number: int, name: str, found: dict[str, str] | dict[str, SecretSource]) -> None:
    if name in found:
        raise _refusal(number, _("“%(name)s” was given before.") % {"name": name}, _("Keep one of the two."))


def _refusal(number: int, wrong: str, right: str) -> CommandRefused:
    return CommandRefused(_("Line %(n)d: %(wrong)s %(right)s") % {"n": number, "wrong": wrong, "right": right})
