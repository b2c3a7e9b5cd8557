from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from django.contrib.sessions.models import Session
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import LogChunk, Run, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

LIST = "/admin/chroniker/job/"
HIDDEN = "Object.defineProperty(document, 'hidden', {get: () => window.isHidden !== false});"


def write(run: Run, stream: int, seq: int, text: str) -> None:
    time.sleep(0.002)  # SQLite's clock has milliseconds; pieces of the same one are ordered by stream
    LogChunk.objects.create(run=run, stream=stream, seq=seq, text=text, written_at=database_now())


def test_the_list_shows_the_start_and_the_progress_of_a_job(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup", cron="0 0 1 1 *")
    page = open_page(LIST)
    state = page.locator(f'tr[data-key="{job.pk}"] .state')
    expect(state).to_have_text("Scheduled")
    run = run_now(job, by="a test")
    lifecycle.renew(run.pk, run.token, started(run), (77, 13))
    expect(state).to_have_text("Running")
    expect(page.get_by_text("13 of 77")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress of backup")).to_have_js_property("value", 16)


def test_the_page_of_a_run_follows_its_output_until_the_end(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), by="a test")
    nonce = started(run)
    page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]))
    output, stop = page.get_by_role("log"), page.get_by_role("link", name="Stop…")
    expect(stop).to_be_visible()
    write(run, 1, 0, "first héllo 你好\n")
    expect(output).to_contain_text("first héllo 你好")
    write(run, 2, 0, "<script>document.title = 'taken'</script>\n")
    write(run, 1, 1, "".join(f"line {n}\n" for n in range(200)))
    expect(output).to_contain_text("<script>document.title = 'taken'</script>")
    expect(output).to_contain_text("line 199")
    assert [word.inner_text() for word in page.locator(".ops-lines .tag").all()] == ["stderr"]
    assert output.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 5
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=3, reason=Reason(text="exit status 3")))
    write(run, 1, 2, "drained after the outcome\n")
    expect(page.locator("#run-state")).to_have_text("Failed")
    expect(page.locator("#run-say")).to_contain_text("exit status 3")
    expect(output).to_contain_text("drained after the outcome")
    expect(stop).to_be_hidden()
    assert page.title() != "taken"


SHORT_TIMEOUT = "const real = AbortSignal.timeout; AbortSignal.timeout = () => real.call(AbortSignal, 200);"


def test_a_server_that_does_not_respond_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page("about:blank", before=SHORT_TIMEOUT)
    page.route("**/*_live=*", lambda route: None)  # no response, and the connection stays open
    a_booked_job()
    page.goto(LIST)
    expect(page.get_by_text("The server does not answer.")).to_be_visible()


def test_output_that_cannot_be_loaded_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), by="a test")
    page = open_page("about:blank", before=SHORT_TIMEOUT)
    page.route("**/output/**", lambda route: None)
    page.goto(reverse("admin:chroniker_run_change", args=[run.pk]))
    page.get_by_role("link", name="Start").click()
    expect(page.get_by_text("The output could not be loaded. The server does not answer.")).to_be_visible()


def test_output_that_could_not_be_loaded_is_requested_again(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import Route, expect

    page, refused = open_page("about:blank"), list[Route]()

    def refuse_first(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route)
            route.abort()

    page.route("**/output/**", refuse_first)
    page.goto(reverse("admin:chroniker_run_change", args=[a_long_run().pk]))
    page.locator("[role=log]").evaluate("box => { box.scrollTop = 0; }")
    expect(page.get_by_text("The output could not be loaded.")).to_be_visible()
    wait_for_line(page, 29_000, "attached")
    expect(page.get_by_text("The output could not be loaded.")).to_be_hidden()


def test_scrolling_up_ends_following(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), by="a test")
    started(run)
    write(run, 1, 0, "".join(f"line {n}\n" for n in range(500)))
    page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]))
    output, follow = page.get_by_role("log"), page.get_by_role("button", name="Follow")
    expect(output).to_contain_text("line 499")
    expect(follow).to_have_attribute("aria-pressed", "true")
    output.evaluate("box => { box.scrollTop = 500; }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    write(run, 1, 1, "more\n")
    expect(output).to_contain_text("more")
    assert output.evaluate("box => box.scrollTop") == 500
    follow.click()
    assert output.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight") < 5


def numbers(output: Any) -> list[int]:
    """The numbers of the lines in the page, which must be consecutive."""
    found = [
        int(line.removeprefix("L")) for line in output.evaluate("box => [...box.querySelectorAll('.l')].map(l => l.id)")
    ]
    assert found == list(range(found[0], found[-1] + 1))
    return found


def a_long_run() -> Run:
    """It wrote 30,000 lines, and then an error."""
    run = run_now(a_booked_job(), by="a test")
    started(run)
    for seq in range(30):
        write(run, 1, seq, "".join(f"line {1000 * seq + n} of the import\n" for n in range(1, 1001)))
    write(run, 2, 0, "Traceback (most recent call last):\nValueError: oops\n")
    return run


def wait_for_line(page: Page, number: int, state: Literal["attached", "visible"] = "visible") -> None:
    """Like ``expect(…).to_be_visible()``, which describes all of the page after each failed look.

    With thousands of lines this keeps the page busy for seconds, in which it cannot receive what it has requested.
    """
    page.locator(f"#L{number}").wait_for(state=state)


def test_long_output_begins_at_its_end_and_earlier_output_is_loaded_on_demand(open_page: Callable[..., Page]) -> None:
    page = open_page(reverse("admin:chroniker_run_change", args=[a_long_run().pk]))
    output = page.locator("[role=log]")  # get_by_role looks at each element of the page
    assert "ValueError: oops" in output.inner_text()
    assert numbers(output)[-1] == 30_002
    for _time in range(9):
        before = numbers(output)[0]
        output.evaluate("box => { box.scrollTop = 0; }")
        wait_for_line(page, before - 1, "attached")
    assert len(numbers(output)) <= 7000  # those at the other end were dropped
    assert page.locator("[data-edge=after]", has_text="Later lines").is_visible()
    page.locator("[data-jump=start]").click()
    wait_for_line(page, 1)
    assert page.locator("[data-edge=before]", has_text="Earlier lines").is_hidden()
    output.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    wait_for_line(page, 1001, "attached")
    numbers(output)
    page.locator("[data-jump=end]").click()
    wait_for_line(page, 30_002)


def test_new_lines_that_come_after_another_view_was_loaded_are_dropped(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import Route, expect

    page, held, run = open_page("about:blank"), list[Route](), a_long_run()
    page.route("**/*_after=*", lambda route: held.append(route))
    page.goto(reverse("admin:chroniker_run_change", args=[run.pk]))
    output = page.get_by_role("log")
    write(run, 1, 30, "written meanwhile\n")
    while not held:  # the request for new lines
        page.wait_for_timeout(50)
    page.get_by_role("link", name="Start").click()
    expect(page.locator("#L1")).to_be_visible()
    with page.expect_response("**/*_after=*"):
        held[0].continue_()
    page.wait_for_timeout(200)
    assert numbers(output)[0] == 1 and "written meanwhile" not in output.inner_text()


def test_the_page_of_a_running_run_sends_one_request_at_a_time(open_page: Callable[..., Page]) -> None:
    run = run_now(a_booked_job(), by="a test")
    started(run)
    page, sent = open_page("about:blank"), list[str]()
    page.on("request", lambda request: sent.append(request.url) if request.resource_type == "fetch" else None)
    page.goto(reverse("admin:chroniker_run_change", args=[run.pk]))
    for number in range(3):
        write(run, 1, number, f"line {number}\n")
        page.get_by_text(f"line {number}").wait_for()
    assert sent and {url.partition("?")[0].rsplit("/", 2)[-2] for url in sent} == {"change"}


def test_a_line_is_found_by_search_number_and_first_error(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    address = reverse("admin:chroniker_run_change", args=[a_long_run().pk])
    page = open_page(f"{address}#L12345")
    expect(page.locator("#L12345.hit")).to_be_in_viewport()
    page.get_by_label("Search the output").fill("LINE 2000")
    expect(page.locator("#L2000.hit")).to_be_in_viewport()
    expect(page.locator("output")).to_have_text("1 of 11")  # and those from 20,000 to 20,009
    page.keyboard.press("Enter")
    expect(page.locator("#L20000.hit")).to_be_in_viewport()
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#L2000.hit")).to_be_in_viewport()
    page.get_by_label("Search the output").fill("no such text")
    expect(page.locator("output")).to_have_text("no match")
    page.get_by_role("link", name="First error").click()
    expect(page.locator("#L30001.hit")).to_be_in_viewport()
    assert [message for message in complaints if "404" not in message] == []


def test_the_keys_of_the_output(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(reverse("admin:chroniker_run_change", args=[a_long_run().pk]))
    expect(page.locator("#L30000 .w")).to_be_hidden()
    page.keyboard.press("t")
    expect(page.locator("#L30000 .w")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator("#L30000")).to_be_hidden()
    expect(page.locator("#L30001")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("w")
    expect(page.get_by_role("button", name="No wrap")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Start").click()
    expect(page.locator("#L1")).to_be_visible()
    page.locator("body").press("f")
    expect(page.locator("#L30002")).to_be_visible()


def test_without_scripts_the_output_can_be_read(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(reverse("admin:chroniker_run_change", args=[a_long_run().pk]), java_script_enabled=False)
    expect(page.locator("#L30002")).to_be_visible()
    expect(page.locator(".l")).to_have_count(200)
    page.get_by_role("link", name="Earlier lines").click()
    expect(page.locator("#L29802")).to_be_visible()
    page.get_by_role("link", name="Start").click()
    expect(page.locator("#L1")).to_be_visible()
    expect(page.get_by_role("button", name="Times")).to_be_hidden()


def test_a_hidden_tab_sends_no_requests_and_refreshes_when_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), by="a test")
    started(run)
    page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]), before=HIDDEN)
    page.wait_for_load_state("networkidle")
    write(run, 1, 0, "written meanwhile\n")
    expect(page.locator(".l")).to_have_count(0)
    with page.expect_request(lambda request: "_after=" in request.url):
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'));")
    expect(page.get_by_role("log")).to_contain_text("written meanwhile")


def test_a_lost_session_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    a_booked_job()
    page = open_page(LIST)
    Session.objects.all().delete()
    expect(page.get_by_text("You are logged out")).to_be_visible()


def test_run_and_stop_buttons(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job(name="backup")
    page = open_page(reverse("admin:chroniker_job_status", args=[job.pk]))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".messagelist .success")).to_have_text("Run 1 of “backup” is queued.")
    run = Run.objects.get()
    started(run)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Stop", exact=True).click()
    run.refresh_from_db()
    assert run.stop_requested_at is None
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#job-state")).to_have_text("Stopping")


def test_the_job_s_page_shows_a_run_that_another_user_started(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    job = a_booked_job()
    page = open_page(reverse("admin:chroniker_job_status", args=[job.pk]))
    expect(page.locator("#job-recent").get_by_text("It has not run yet.")).to_be_visible()
    run = run_now(job, by="somebody else")
    expect(page.locator("#job-recent").get_by_role("link", name="1", exact=True)).to_have_attribute(
        "href", reverse("admin:chroniker_run_change", args=[run.pk])
    )
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_hidden()
