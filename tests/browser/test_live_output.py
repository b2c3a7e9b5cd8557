"""The output of a run in the browser: followed, loaded on demand, searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

if TYPE_CHECKING:
    from playwright.sync_api import Page
from tests.browser.written_output import SHORT_TIMEOUT, a_long_run, wait_for_line, write


def test_the_page_of_a_run_follows_its_output_until_the_end(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), requested_by="a test")
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


def test_output_that_cannot_be_loaded_is_shown(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    run = run_now(a_booked_job(), requested_by="a test")
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

    run = run_now(a_booked_job(), requested_by="a test")
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
    expect(page.get_by_role("button", name="Timestamps")).to_be_hidden()
