"""The metrics: their text formats, their address and command, and who may read them."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse

from chroniker.clock.database_clock import database_now
from chroniker.insights.metrics import scrape
from chroniker.insights.metrics.families import METRIC_FAMILIES
from chroniker.models import Backfill, Host, Job, Ticker
from tests.integration.insights.scraped_metrics import NEVER, by_name, ended
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy", "read_again"), pytest.mark.every_database]

TOKEN = "s3cret"
#: What Prometheus 3 sends.
ACCEPTED = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1"
    ";q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def strictly(text: str) -> Iterable[Metric]:
    """By the parser of OpenMetrics, which refuses more."""
    families: Iterable[Metric] = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    return families


NAMES = ['quo"te', "back\\slash", "new\nline", "ünïcode 日本", "{braces}=,", "a # b", "\\n"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_job_is_read_back_by_other_programs(name: str) -> None:
    Job.objects.filter(pk=a_booked_job(cron=NEVER).pk).update(name=name)
    assert (name,) in by_name(parse(scrape.metrics_text()))["job_enabled"]
    assert (name,) in by_name(strictly(scrape.metrics_text(openmetrics=True)))["job_enabled"]


def test_both_formats_have_the_same_values_and_every_metric() -> None:
    ended(a_booked_job(cron=NEVER), seconds=1)
    Host.objects.create(name="h", last_seen=database_now(), clock_skew_seconds=0)
    Ticker.objects.create(host="h", kind="beat", last_at=database_now(), version="2", pid=1, period=5, pass_seconds=1)
    Backfill.objects.create(
        job=Job.objects.get(), first=database_now(), last=database_now(), spec={}, created_at=database_now(), planned=1
    )
    plain, strict = by_name(parse(scrape.metrics_text())), by_name(strictly(scrape.metrics_text(openmetrics=True)))
    assert plain == strict
    assert set(plain) == {family.name for family in METRIC_FAMILIES}


def test_the_names_obey_the_rules_of_promtool() -> None:
    units = "milliseconds|minutes|hours|days|weeks|kilobytes|kb|ms|percent|grams|meters"
    for family in METRIC_FAMILIES:
        assert re.fullmatch(r"chroniker(_[a-z]+)+", family.full_name)
        assert family.name.endswith("_total") == (family.kind == "counter")
        assert not re.search(
            rf"(^|_)({units}|counter|gauge|histogram|summary|count|sum|bucket|info_total)(_|$)", family.name
        )
        assert family.help.endswith(".") and "\n" not in family.help
        assert len({*family.labels}) == len(family.labels) and not {"le", "quantile", "instance"} & {*family.labels}
    assert len({family.name for family in METRIC_FAMILIES}) == len(METRIC_FAMILIES)


def test_the_address_needs_the_token(client: Client) -> None:
    assert client.get("/chroniker/metrics").status_code == 403
    with override_settings(CHRONIKER_METRICS_TOKEN=TOKEN):
        refused = client.get("/chroniker/metrics")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ", "Bearer"):
            assert client.get("/chroniker/metrics", headers={"Authorization": wrong}).status_code == 401, wrong
        answer = client.get("/chroniker/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200 and TOKEN not in answer.content.decode()
        assert client.post("/chroniker/metrics").status_code == 405
    with override_settings(CHRONIKER_METRICS_PUBLIC=True):
        assert client.get("/chroniker/metrics").status_code == 200


@override_settings(CHRONIKER_METRICS_PUBLIC=True)
def test_the_format_follows_the_accept_header(client: Client) -> None:
    def content_type(accept: str) -> str:
        return client.get("/chroniker/metrics", headers={"Accept": accept}).headers["Content-Type"]

    for accept in ("*/*", "text/plain;version=0.0.4", "text/html", "application/openmetrics-text;q=0"):
        assert content_type(accept) == "text/plain; version=0.0.4; charset=utf-8", accept
    assert content_type(ACCEPTED) == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert client.get("/chroniker/metrics", headers={"Accept": ACCEPTED}).content.endswith(b"\n# EOF\n")


@override_settings(CHRONIKER_METRICS_PUBLIC=True)
def test_without_the_database_the_answer_is_503_and_no_part_of_the_metrics(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise DatabaseError("could not connect to db1.internal as root")

    with monkeypatch.context() as patch:
        patch.setattr("chroniker.insights.metrics.message_values.read_message_samples", fail)
        answer = client.get("/chroniker/metrics")
        assert (answer.status_code, answer.content) == (503, b"The database cannot be used.\n")
    assert client.get("/chroniker/metrics").status_code == 200, "an error is not cached"


@override_settings(CHRONIKER_METRICS_PUBLIC=True)
def test_many_requests_read_the_database_once(client: Client) -> None:
    client.get("/chroniker/metrics")
    with CaptureQueriesContext(connection) as queries:
        for _each in range(5):
            client.get("/chroniker/metrics")
    assert not queries.captured_queries


def test_the_command_replaces_its_file_in_one_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_booked_job(name="report", cron=NEVER)
    file = tmp_path / "chroniker.prom"
    file.write_text("old")
    held = file.open()
    call_command("metrics", output=file)
    assert held.read() == "old", "a reader keeps what it opened"
    held.close()
    assert ("report",) in by_name(parse(file.read_text()))["job_enabled"]
    assert [each.name for each in tmp_path.iterdir()] == ["chroniker.prom"]
    assert file.stat().st_mode & 0o777 == 0o644
    call_command("metrics")
    assert by_name(parse(capsys.readouterr().out))["job_enabled"] == {("report",): 1}
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        call_command("metrics", output=tmp_path / "none" / "chroniker.prom")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "chroniker.prom"
    file.write_text("old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(CommandError, match="No space left on device"):
            call_command("metrics", output=file)
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["chroniker.prom"]


@override_settings(ROOT_URLCONF="tests.integration.insights.addresses_under_a_prefix", CHRONIKER_METRICS_PUBLIC=True)
@pytest.mark.parametrize("name", ["live", "ready", "metrics"])
def test_a_project_may_include_the_addresses_under_any_prefix(client: Client, name: str) -> None:
    address = reverse(f"ops:{name}", kwargs={"site": "shop"})
    assert address == f"/ops/shop/jobs/{'' if name == 'metrics' else 'healthz/'}{name}"
    assert client.get(address).status_code == 200


def test_a_project_that_does_not_include_the_addresses_has_none(admin_client: Client) -> None:
    urls = types.ModuleType("urls_without_the_addresses")
    urls.urlpatterns = [path("admin/", admin.site.urls)]  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls, CHRONIKER_METRICS_PUBLIC=True):
        for address in ("metrics", "healthz/live", "healthz/ready", "healthz/scheduler"):
            assert admin_client.get(f"/chroniker/{address}").status_code == 404
        assert admin_client.get("/admin/chroniker/job/").status_code == 200
