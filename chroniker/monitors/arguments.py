"""``check_monitor``'s arguments, and the question they ask. Read when the command runs, and when its job is saved."""

from __future__ import annotations

from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import MonitorError
from chroniker.monitors.conditions import filtered_records

FetchRecords = Callable[[], object]


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "function",
        nargs="?",
        metavar="DOTTED.PATH",
        help="a function without arguments; it returns a queryset, a number, or an iterable",
    )
    parser.add_argument("--model", metavar="APP.MODEL", help="count records of this model")
    for name, which in (("filter", "only those for which it holds"), ("exclude", "but those for which it holds")):
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
        help="with --query: what it needs; refused where raw commands are",
    )
    parser.add_argument("--query", help="a Python expression, evaluated; refused where raw commands are")
    parser.add_argument("--verbose", nargs="?", help=SUPPRESS)  # django-chroniker's jobs may have it


def record_source(options: dict[str, Any]) -> tuple[str, FetchRecords]:
    """What is asked, in a word, and how. Raises ``MonitorError``; asks nothing yet."""
    function, model, query = options["function"], options["model"], options["query"]
    if sum(map(bool, (function, model, query))) != 1:
        raise MonitorError(
            _("Say what to count, in one way: --model APP.MODEL, with --filter FIELD=VALUE, or the path of a function.")
        )
    if (options["filter"] or options["exclude"]) and not model:
        raise MonitorError(_("--filter and --exclude go with --model."))
    if options["imports"] and not query:
        raise MonitorError(_("--imports goes with --query."))
    if options["show"] < 0:
        raise MonitorError(_("--show %(n)d: give a number of records, 0 or more.") % {"n": options["show"]})
    if model:
        found = filtered_records(model, options["filter"], options["exclude"])
        return model, lambda: found
    if function:
        return function, _function(function)
    return "--query", _text(options["imports"], query)


def argument_error(words: Sequence[str]) -> str:
    """Why ``check_monitor`` would refuse these words; empty: it would not. For the form."""
    parser = _Reader().create_parser("manage.py", "check_monitor")
    try:
        record_source(vars(parser.parse_args(list(words))))
    except (MonitorError, CommandError) as error:
        return str(error)
    except SystemExit:
        return _("--help and --version print a text; they are no question.")
    return ""


class _Reader(BaseCommand):
    """A parser with Django's own options beside these."""

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)


def _function(path: str) -> FetchRecords:
    try:
        found = import_string(path)
    except ImportError as error:
        raise MonitorError(_("“%(path)s” is no function: %(error)s.") % {"path": path, "error": error}) from None
    if not callable(found):
        raise MonitorError(_("“%(path)s” is no function but %(what)s.") % {"path": path, "what": type(found).__name__})
    return lambda: found()


def _text(imports: str, query: str) -> FetchRecords:
    """The ancestor's way. Whoever may write it may run anything, so it is refused where raw commands are."""
    if not settings.raw_commands_allowed:
        raise MonitorError(
            _(
                "--query is evaluated as Python, and CHRONIKER_DISABLE_RAW_COMMAND forbids that here. "
                "Ask with --model and --filter, or name a function."
            )
        )

    def ask() -> object:
        names: dict[str, Any] = {}
        for item in filter(None, imports.strip().split("|")):
            _import(item, names)
        return eval(query, names)  # nosec B307  # refused above where raw commands are

    return ask


def _import(item: str, names: dict[str, Any]) -> None:
    module, *rest = (word.strip() for word in item.split(","))
    if not module or len(rest) > 2:
        raise MonitorError(
            _("“%(item)s” in --imports is not MODULE, MODULE,NAME or MODULE,NAME,ALIAS.") % {"item": item}
        )
    try:
        if not rest:
            names[module.split(".")[0]] = __import__(module)
        else:
            names[rest[-1]] = _named(module, rest[0])
    except ImportError as error:
        raise MonitorError(_("--imports: %(error)s.") % {"error": error}) from None


def _named(module: str, name: str) -> Any:
    found = import_module(module)
    return getattr(found, name) if hasattr(found, name) else import_module(f"{module}.{name}")
