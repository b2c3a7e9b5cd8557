"""The arguments of ``check_monitor``: parsed when the command runs, and validated when its job is saved."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import FOREIGN_CODE_ERRORS, MonitorError
from chroniker.monitors.conditions import filtered_records

FetchRecords = Callable[[], object]


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "function",
        nargs="?",
        metavar="DOTTED.PATH",
        help="a function without parameters that returns a queryset, a number, or an iterable",
    )
    parser.add_argument("--model", metavar="APP.MODEL", help="count records of this model")
    for name, which in (("filter", "count only records that match"), ("exclude", "do not count records that match")):
        parser.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="FIELD__LOOKUP=VALUE",
            help=f"{which}; may be repeated. Dates may be relative: created__lt=now-7d, now-2h30m, today",
        )
    parser.add_argument("--show", type=int, default=10, metavar="N", help="print at most N records (default: 10)")
    parser.add_argument(
        "--imports",
        default="",
        metavar="MODULE[,NAME[,ALIAS]][|…]",
        help="imports for --query; refused while raw commands are disabled",
    )
    parser.add_argument("--query", help="a Python expression to evaluate; refused while raw commands are disabled")
    parser.add_argument("--verbose", nargs="?", help=SUPPRESS)  # jobs of django-chroniker may have it


def parse_record_source(options: dict[str, Any]) -> tuple[str, FetchRecords]:
    """A label for the records, and a function that returns them. Raises ``MonitorError``; runs no query."""
    function, model, query = options["function"], options["model"], options["query"]
    if sum(map(bool, (function, model, query))) != 1:
        raise MonitorError(
            _("Give either --model APP.MODEL, with --filter FIELD=VALUE, or the dotted path of a function.")
        )
    if (options["filter"] or options["exclude"]) and not model:
        raise MonitorError(_("--filter and --exclude need --model."))
    if options["imports"] and not query:
        raise MonitorError(_("--imports needs --query."))
    if options["show"] < 0:
        raise MonitorError(_("--show %(n)d: give a number of records, 0 or more.") % {"n": options["show"]})
    if model:
        records = filtered_records(model, options["filter"], options["exclude"])
        return model, lambda: records
    if function:
        return function, _import_function(function)
    return "--query", _make_expression_evaluator(options["imports"], query)


def argument_error(words: Sequence[str]) -> str:
    """Why ``check_monitor`` would refuse these arguments; empty if it accepts them. For the form."""
    parser = _ParserCommand().create_parser("manage.py", "check_monitor")
    try:
        parse_record_source(vars(parser.parse_args(list(words))))
    except (MonitorError, CommandError) as error:
        return str(error)
    except SystemExit:
        return _("--help and --version only print a text and check nothing.")
    return ""


class _ParserCommand(BaseCommand):
    """Creates a parser with Django's common options."""

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)


def _import_function(path: str) -> FetchRecords:
    """Checks the path before the import: importing a module runs its code."""
    if not any(fnmatchcase(path, pattern) for pattern in settings.monitor_functions):
        raise MonitorError(
            _("The function “%(path)s” is not allowed for monitors (CHRONIKER_MONITOR_FUNCTIONS).") % {"path": path}
        )
    try:
        found = import_string(path)
    except FOREIGN_CODE_ERRORS as error:
        text = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise MonitorError(_("“%(path)s” could not be imported: %(error)s.") % {"path": path, "error": text}) from error
    if not callable(found):
        raise MonitorError(
            _("“%(path)s” is not a function: its type is %(type)s.") % {"path": path, "type": type(found).__name__}
        )
    return lambda: found()


def _make_expression_evaluator(imports: str, query: str) -> FetchRecords:
    """The options of django-chroniker. They run arbitrary Python code, so they need raw commands."""
    if not settings.raw_commands_allowed:
        raise MonitorError(
            _(
                "--query is evaluated as Python code, which CHRONIKER_DISABLE_RAW_COMMAND forbids. "
                "Use --model and --filter, or the dotted path of a function."
            )
        )

    def evaluate() -> object:
        names: dict[str, Any] = {}
        for item in filter(None, imports.strip().split("|")):
            _import_item(item, names)
        return eval(query, names)  # nosec B307  # refused above while raw commands are disabled

    return evaluate


def _import_item(item: str, names: dict[str, Any]) -> None:
    module, *rest = (word.strip() for word in item.split(","))
    if not module or len(rest) > 2:
        raise MonitorError(
            _("“%(item)s” in --imports must have the form MODULE or MODULE,NAME or MODULE,NAME,ALIAS.") % {"item": item}
        )
    try:
        if not rest:
            names[module.split(".")[0]] = __import__(module)
        else:
            names[rest[-1]] = _import_name(module, rest[0])
    except ImportError as error:
        raise MonitorError(_("--imports: %(error)s.") % {"error": error}) from None


def _import_name(module: str, name: str) -> Any:
    found = import_module(module)
    return getattr(found, name) if hasattr(found, name) else import_module(f"{module}.{name}")
