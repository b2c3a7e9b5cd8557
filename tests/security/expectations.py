"""The table of permissions: who may view each address of the admin, and who may use each action."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from tests.security.sample_rows import PEOPLE, SampleRows, browser
from tests.support.admin_pages import fields

PREFIX = "admin/chroniker/"

EVERYBODY = frozenset(PEOPLE)
STAFF = EVERYBODY - {"anonymous"}
SEE = frozenset({"viewer", "changer", "root"})
SEE_JOBS = SEE | {"watchman", "operator"}
SEE_RUNS = frozenset({"viewer", "watchman", "root"})
NOBODY: frozenset[str] = frozenset()


def _only(*people: str) -> frozenset[str]:
    return frozenset({*people, "root"})


@dataclass(frozen=True)
class Page:
    """Users who may GET a page, and its status; others get 403, or the login page if they are not logged in."""

    sees: frozenset[str]
    status: int = 200
    json: bool = False
    query: str = ""
    of: Callable[[SampleRows], object] | None = None


def _of_model(
    name: str, sees: frozenset[str], adds: frozenset[str], deletes: frozenset[str], of: Any
) -> dict[str, Page]:
    """The pages that Django's admin creates for every model."""
    return {
        f"{name}/": Page(sees),
        f"{name}/add/": Page(adds),
        f"{name}/<path:object_id>/history/": Page(sees, of=of),
        f"{name}/<path:object_id>/delete/": Page(deletes, of=of),
        f"{name}/<path:object_id>/change/": Page(sees, of=of),
        f"{name}/<path:object_id>/": Page(STAFF, 302, of=of),  # to the page that asks
    }


PAGES: dict[str, Page] = {
    **_of_model("job", SEE_JOBS, _only("adder"), _only("deleter"), lambda rows: rows.idle.pk),
    "job/graph/": Page(SEE_JOBS),
    "job/now/": Page(SEE_JOBS),
    "job/timeline/": Page(SEE_JOBS),
    "job/pulse/": Page(STAFF - {"nobody"}),
    "job/pause/": Page(_only("pauser")),
    "job/preview/": Page(SEE_JOBS, json=True, query="?frequency=CRON&cron=0+3+*+*+*"),
    "job/command/": Page(_only("changer", "operator"), json=True, query="?name=noop"),
    "job/<int:object_id>/run/": Page(_only("runner", "operator"), 302, of=lambda rows: rows.watch.pk),
    "job/<int:object_id>/run-with/": Page(_only("operator"), of=lambda rows: rows.watch.pk),
    "job/<int:object_id>/backfill/": Page(_only(), of=lambda rows: rows.job.pk),
    "job/<int:object_id>/discard/": Page(_only("changer", "operator"), 302, of=lambda rows: rows.idle.pk),
    "job/import-crontab/": Page(_only("adder")),
    "job/<int:object_id>/schedule/": Page(SEE_JOBS & SEE_RUNS, of=lambda rows: rows.job.pk),
    "job/<int:object_id>/stop/": Page(_only("stopper", "watchman"), 302, of=lambda rows: rows.job.pk),
    "job/<int:object_id>/status/": Page(SEE_JOBS, of=lambda rows: rows.job.pk),
    "job/<int:object_id>/runs/": Page(SEE_JOBS & SEE_RUNS, of=lambda rows: rows.job.pk),
    "job/code/": Page(SEE_JOBS),
    "job/<int:object_id>/code/": Page(SEE_JOBS, of=lambda rows: rows.job.pk),
    "job/<int:object_id>/enable/": Page(_only("changer", "operator"), 302, of=lambda rows: rows.idle.pk),
    "job/<int:object_id>/disable/": Page(_only("changer", "operator"), 302, of=lambda rows: rows.watch.pk),
    "job/<int:object_id>/retry-now/": Page(_only("runner", "operator"), 302, of=lambda rows: rows.idle.pk),
    "job/<int:object_id>/cancel-retry/": Page(_only("runner", "operator"), 302, of=lambda rows: rows.idle.pk),
    "job/<int:object_id>/resume/": Page(_only("changer", "operator"), 302, of=lambda rows: rows.idle.pk),
    "monitor/": Page(SEE_JOBS),
    "monitor/add/": Page(_only("adder"), 302),
    "monitor/<path:object_id>/change/": Page(STAFF, 302, of=lambda rows: rows.watch.pk),  # to the page that asks
    **_of_model("run", SEE_RUNS, NOBODY, NOBODY, lambda rows: rows.run.pk),
    "run/reliability/": Page(SEE_RUNS),
    "run/<uuid:object_id>/output/": Page(SEE_RUNS, json=True, query="?before=0.0.0", of=lambda rows: rows.run.pk),
    "run/<uuid:object_id>/log.txt": Page(SEE_RUNS, of=lambda rows: rows.run.pk),
    "run/<uuid:object_id>/stop/": Page(_only("stopper", "watchman"), of=lambda rows: rows.run.pk),
    "run/<uuid:object_id>/again/": Page(_only("runner", "operator"), 302, of=lambda rows: rows.ended.pk),
    **_of_model("host", SEE, NOBODY, _only("deleter"), lambda rows: rows.host.pk),
    "host/<path:object_id>/change/": Page(SEE, 302, of=lambda rows: rows.host.pk),  # to the page of the fleet
    **_of_model("group", SEE, _only("adder"), _only("deleter"), lambda rows: rows.group.pk),
    "group/<int:object_id>/pause/": Page(_only("pauser"), of=lambda rows: rows.group.pk),
    **_of_model("calendar", SEE, _only("adder"), _only("deleter"), lambda rows: rows.calendar.pk),
    **_of_model("channel", SEE, _only("adder"), _only("deleter"), lambda rows: rows.channel.pk),
    "channel/<int:object_id>/test/": Page(_only("changer"), 302, of=lambda rows: rows.channel.pk),
    **_of_model("outbox", SEE, NOBODY, NOBODY, lambda rows: rows.outbox.pk),
    **_of_model("alert", frozenset({"viewer", "root"}), NOBODY, NOBODY, lambda rows: rows.alert.pk),
    **_of_model("alertmute", SEE, _only("adder"), _only("deleter"), lambda rows: rows.mute.pk),
}


@dataclass(frozen=True)
class Change:
    """A POST that changes rows and is allowed only for these users. It adds an entry to the admin's log."""

    route: str
    by: frozenset[str]
    data: Callable[[SampleRows], dict[str, Any]] = field(default=lambda rows: {})
    action: str = ""

    @property
    def name(self) -> str:
        return f"{self.route} {self.action}".strip()


def _form(address: str, form: str, **changes: str) -> Callable[[SampleRows], dict[str, Any]]:
    """The data that a browser would send from this form, with these changes."""

    def data(rows: SampleRows) -> dict[str, Any]:
        return {**fields(browser("root").get(f"/{PREFIX}{filled(address, rows)}"), form), **changes}

    return data


def _action(model: str, action: str, by: frozenset[str], chosen: Callable[[SampleRows], Any]) -> Change:
    sent = {"action": action, "index": "0", "post": "yes", "confirmed": "1"}
    return Change(f"{model}/", by, lambda rows: {**sent, "_selected_action": [str(chosen(rows).pk)]}, action)


CONFIRMED: Callable[[SampleRows], dict[str, Any]] = lambda rows: {"post": "yes"}  # noqa: E731

CHANGES: list[Change] = [
    Change("job/add/", _only("adder"), _form("job/add/", "job_form", name="new", command="noop", cron="0 3 * * *")),
    Change(
        "job/<path:object_id>/change/",
        _only("changer", "operator"),
        _form("job/<path:object_id>/change/", "job_form", name="renamed"),
    ),
    Change("job/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    Change("job/<int:object_id>/run/", _only("runner", "operator")),
    Change("job/<int:object_id>/run-with/", _only("operator"), lambda rows: {"args": "--model auth.Group"}),
    Change("job/<int:object_id>/stop/", _only("stopper", "watchman")),
    Change("job/<int:object_id>/enable/", _only("changer", "operator")),
    Change("job/<int:object_id>/disable/", _only("changer", "operator"), lambda rows: {"confirmed": "1"}),
    Change("job/pause/", _only("pauser"), lambda rows: {"reason": "stocktaking"}),
    _action("job", "enable", _only("changer", "operator"), lambda rows: rows.idle),
    _action("job", "disable", _only("changer", "operator"), lambda rows: rows.job),
    _action("job", "run_now", _only("operator"), lambda rows: rows.watch),
    _action("job", "stop", _only("watchman"), lambda rows: rows.job),
    _action("job", "delete_selected", _only(), lambda rows: rows.idle),
    _action("monitor", "check_now", _only("operator"), lambda rows: rows.watch),
    Change("run/<uuid:object_id>/stop/", _only("stopper", "watchman")),
    Change("run/<uuid:object_id>/again/", _only("runner", "operator")),
    Change("host/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    Change("group/add/", _only("adder"), lambda rows: {"name": "new"}),
    Change("group/<path:object_id>/change/", _only("changer"), lambda rows: {"name": "night", "limit": "7"}),
    Change("group/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    Change("group/<int:object_id>/pause/", _only("pauser"), lambda rows: {"reason": "stocktaking"}),
    _action("group", "delete_selected", _only(), lambda rows: rows.group),
    Change("calendar/add/", _only("adder"), _form("calendar/add/", "calendar_form", name="new")),
    Change(
        "calendar/<path:object_id>/change/",
        _only("changer"),
        _form("calendar/<path:object_id>/change/", "calendar_form", name="renamed"),
    ),
    Change("calendar/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    _action("calendar", "delete_selected", _only(), lambda rows: rows.calendar),
    Change(
        "channel/add/",
        _only("adder"),
        _form("channel/add/", "channel_form", name="new", kind="MAIL", target="a@example.com"),
    ),
    Change(
        "channel/<path:object_id>/change/",
        _only("changer"),
        _form("channel/<path:object_id>/change/", "channel_form", name="renamed"),
    ),
    Change("channel/<int:object_id>/test/", _only("changer")),
    Change("channel/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    _action("channel", "delete_selected", _only(), lambda rows: rows.channel),
    _action("outbox", "send_again", _only("changer"), lambda rows: rows.outbox),
    Change(
        "alertmute/add/",
        _only("adder"),
        _form("alertmute/add/", "alertmute_form", ends_at_0="2126-01-01", ends_at_1="06:00:00"),
    ),
    Change(
        "alertmute/<path:object_id>/change/",
        _only("changer"),
        _form("alertmute/<path:object_id>/change/", "alertmute_form", reason="longer"),
    ),
    Change("alertmute/<path:object_id>/delete/", _only("deleter"), CONFIRMED),
    _action("alertmute", "delete_selected", _only(), lambda rows: rows.mute),
]


def filled(route: str, rows: SampleRows) -> str:
    """The address of the route, for the object that its row of the table names."""
    of = PAGES[route].of
    before, bracket, rest = route.partition("<")
    return f"{before}{of(rows)}{rest.partition('>')[2]}" if bracket and of else route


def routes() -> Iterator[str]:
    """All addresses of this app in the URL resolver of the project."""
    for route in _below(get_resolver(), ""):
        if route.startswith(PREFIX):
            yield route.removeprefix(PREFIX)


def _below(resolver: URLResolver, prefix: str) -> Iterator[str]:
    for each in resolver.url_patterns:
        route = f"{prefix}{each.pattern}"
        if isinstance(each, URLPattern):
            yield route
        else:
            yield from _below(each, route)
