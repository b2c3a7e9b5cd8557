"""The output of a run on its page: lines, streams, markers."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import unquote

from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Run, RunEvent
from tests.integration.admin.shown_runs import a_running_run, page, write


def output(client: Client, run: Run, **query: str) -> dict[str, Any]:
    response = client.get(reverse("admin:chroniker_run_output", args=[run.pk]), query)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def shown(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Number, stream and text of each line."""
    pattern = r'<div class="l" id="L(\d+)" data-s="(\w+)".*?<span class="c">(.*?)</span></div>'
    found = re.findall(pattern, answer["html"])
    return [(number, stream, unescape(re.sub(r"<[^>]*>", "", text))) for number, stream, text in found]


def test_the_output_of_an_open_run_is_followed_view_by_view(admin: Client) -> None:
    run = a_running_run()
    first = output(admin, run)
    assert (shown(first), first["open"]) == ([], True)
    write(run, "stdout", 0, "one\n")
    write(run, "stderr", 0, "two\n")
    second = output(admin, run, after=first["after"])
    assert shown(second) == [("1", "out", "one"), ("2", "err", "stderrtwo")]
    write(run, "stdout", 1, "thr")
    third = output(admin, run, after=second["after"])
    assert shown(third) == [("3", "out", "thr")] and "data-open" in third["html"]
    write(run, "stdout", 2, "ee\n")
    fourth = output(admin, run, after=third["after"])
    assert shown(fourth) == [("3", "out", "three")] and "data-open" not in fourth["html"]
    assert shown(output(admin, run, after=fourth["after"])) == []


def test_a_long_output_is_read_from_both_ends_and_at_a_number(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "".join(f"line {n}\n" for n in range(1, 3001)))
    write(run, "stderr", 0, "oops\n")
    end, start = output(admin, run, at="end"), output(admin, run, at="start")
    assert (shown(start)[0][0], len(shown(start)), start["more_before"], start["more_after"]) == (
        "1",
        1000,
        False,
        True,
    )
    assert (shown(end)[-1][2], end["more_before"], end["more_after"]) == ("stderroops", True, False)
    assert shown(output(admin, run, after=start["after"]))[0][0] == "1001"
    assert shown(output(admin, run, before=end["before"]))[-1][0] == str(int(shown(end)[0][0]) - 1)
    at = output(admin, run, at="1500")
    assert (at["target"], "1500" in [number for number, _s, _t in shown(at)]) == (1500, True)
    error = output(admin, run, at="error")
    assert (error["target"], shown(error)[-1][0]) == (3001, "3001")
    assert output(admin, run, q="LINE 29")["numbers"] == [29, *range(290, 300), *range(2900, 3000)]


def test_the_page_has_the_last_lines_without_a_script(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "".join(f"line {n}\n" for n in range(1, 1001)))
    html = page(admin, run)
    numbers = re.findall(r'id="L(\d+)"', html)
    assert numbers == [str(n) for n in range(801, 1001)]
    (before,) = re.findall(r'href="\?before=([^#"]*)#output"', html)
    earlier = re.findall(r'id="L(\d+)"', page(admin, run, before=unquote(before)))
    assert earlier == [str(n) for n in range(601, 801)]
    assert 'id="L1"' in page(admin, run, at="start") and 'id="L500"' in page(admin, run, at="500")


def test_colours_become_classes_and_carriage_returns_keep_the_last_state(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "\x1b[1;31mred <b>\x1b[0m plain\n10 %\r20 %\r\n")
    answer = output(admin, run)
    assert '<span class="a1 a31">red &lt;b&gt;</span> plain' in answer["html"]
    assert [text for _n, _s, text in shown(answer)] == ["red <b> plain", "20 %"]


def test_a_very_long_line_is_shortened_with_its_length(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "x" * 12_345 + "\n")
    assert "… 2,345 more characters are in the download" in unescape(output(admin, run)["html"])


def test_lost_chunks_are_marked(admin: Client) -> None:
    run = a_running_run()
    write(run, "stdout", 0, "one\n")
    write(run, "stdout", 3, "two\n")
    assert "2 output chunks are missing here" in output(admin, run)["html"]


def test_what_a_command_writes_cannot_become_markup(admin: Client) -> None:
    markup = "<script>alert(1)</script>"
    run = a_running_run()
    write(run, "stdout", 0, markup)
    RunEvent.objects.create(run=run, at=database_now(), kind=EventKind.NOTE, text=markup)
    words = {
        "host": markup,
        "worker": markup,
        "queue": markup,
        "reason_text": markup,
        "stop_requested_by": markup,
        "error_line": markup,
        "argv": [markup],
    }
    Run.objects.filter(pk=run.pk).update(**words, stop_requested_at=database_now())
    for status in ("RUNNING", "FAILED"):
        closed = {"status": status, "finished_at": None if status == "RUNNING" else database_now()}
        Run.objects.filter(pk=run.pk).update(**closed)
        html = admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
        assert markup not in html and "&lt;script&gt;" in html
    answer = admin.get(reverse("admin:chroniker_run_output", args=[run.pk]))
    assert answer["Content-Type"] == "application/json" and answer["X-Content-Type-Options"] == "nosniff"
    assert markup not in answer.json()["html"] and shown(answer.json())[0][2] == markup


def test_an_invalid_query_gets_an_error_as_json(admin: Client) -> None:
    run = a_running_run()
    address = reverse("admin:chroniker_run_output", args=[run.pk])
    for query in ({"after": "x"}, {"before": "1.2"}, {"after": "1.2.3.4"}, {"at": "x"}, {"q": "x", "from": "y"}):
        assert admin.get(address, query).status_code == 400
        assert "q" in query or admin.get(reverse("admin:chroniker_run_change", args=[run.pk]), query).status_code == 400
    huge = {"after": f"{9**30}.{-(9**30)}.0+{9**30}"}
    assert admin.get(address, huge).status_code == 200
    assert admin.get(address, {"at": str(9**30)}).status_code == 200
    assert admin.post(address).status_code == 405
    gone = "00000000-0000-7000-8000-000000000000"
    for path in (f"{gone}/change/", f"{gone}/output/", "no-id/change/", f"{gone}/stop/", f"{gone}/again/"):
        assert admin.get(f"/admin/chroniker/run/{path}").status_code == 404
