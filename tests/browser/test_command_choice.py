from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chroniker.models import Job

if TYPE_CHECKING:
    from playwright.sync_api import Page

ADD = "/admin/chroniker/job/add/"


def test_a_command_is_searched_for_and_chosen_with_the_keyboard(
    open_page: Callable[..., Page], complaints: list[str]
) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    field = page.get_by_role("combobox", name="Command:")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("every kind")  # of its help
    group = page.get_by_role("listbox", name="Commands").get_by_role("group", name="tests.testapp")
    expect(group.get_by_role("option")).to_have_count(1)
    expect(field).to_have_attribute("aria-expanded", "true")
    field.press("ArrowDown")
    option = group.get_by_role("option", selected=True)
    expect(option).to_contain_text("takes")
    assert field.get_attribute("aria-activedescendant") == option.get_attribute("id")
    field.press("Enter")
    expect(field).to_have_value("takes")
    expect(page.get_by_role("listbox", name="Commands")).to_have_count(0)
    help_box = page.locator("#chroniker-command")
    expect(help_box).to_contain_text("Take every kind of argument that there is.")
    expect(help_box.get_by_text("--colour {red,green}")).to_be_visible()
    expect(help_box.get_by_text("--traceback")).to_be_hidden()
    help_box.get_by_text("Common options").click()
    expect(help_box.get_by_text("--traceback")).to_be_visible()
    assert not Job.objects.exists(), "Enter has saved the form"
    assert [message for message in complaints if "404" not in message] == []


def test_the_list_closes_on_escape_and_has_a_text_for_no_match(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    field = page.get_by_role("combobox", name="Command:")
    field.click()
    options = page.get_by_role("listbox", name="Commands").get_by_role("option")
    expect(options.first).to_be_visible()
    assert options.count() > 20
    field.press("Escape")
    expect(options).to_have_count(0)
    expect(field).to_have_value("")
    field.press_sequentially("nothing like this")
    expect(page.get_by_text("No matching command.")).to_be_visible()
    field.fill("fa")
    page.get_by_role("option", name="fails Fail").click()
    expect(field).to_have_value("fails")


def test_the_error_of_an_unloadable_command_is_beside_the_arguments(open_page: Callable[..., Page]) -> None:
    from playwright.sync_api import expect

    page = open_page(ADD)
    page.get_by_role("combobox", name="Command:").fill("cannot_load")
    page.keyboard.press("Tab")
    expect(page.locator("#chroniker-command")).to_contain_text("a library <that> is missing")


def test_without_javascript_the_field_offers_the_same_names(open_page: Callable[..., Page]) -> None:
    page = open_page(ADD, java_script_enabled=False)
    field = page.locator("#id_command")
    assert page.locator(f"datalist#{field.get_attribute('list')} option[value=takes]").count() == 1
