"""Every address and action of the admin for each kind of user, by GET, POST and POST without a CSRF token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, RequestFactory, override_settings

from chroniker.admin.jobs import cloning
from tests.security.expectations import CHANGES, PAGES, PREFIX, Change, filled, routes
from tests.security.sample_rows import PEOPLE, SampleRows, browser, everything, logged_in
from tests.support.admin_pages import rows as listed
from tests.support.command_jobs import DUMMY

BY_NAME = {change.name: change for change in CHANGES}
CHANGE_OF = {change.route: change for change in CHANGES}


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[SampleRows]:
    """Rows and logged-in users for all tests of this module: each test's own changes are rolled back."""
    with django_db_blocker.unblock(), override_settings(CHRONIKER_EXECUTORS=DUMMY), transaction.atomic():
        made = SampleRows.make()
        for person in PEOPLE.keys() - {"anonymous"}:
            logged_in[person] = browser(person).cookies[settings.SESSION_COOKIE_NAME].value
        yield made
        logged_in.clear()
        transaction.set_rollback(True)


@pytest.fixture
def rows(shared_rows: SampleRows, dummy: Any) -> SampleRows:
    return shared_rows


@contextmanager
def undone() -> Iterator[None]:
    """Roll back all changes, so that the next user finds the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def address(route: str, rows: SampleRows) -> str:
    return f"/{PREFIX}{filled(route, rows)}"


def test_every_address_of_the_project_s_admin_has_a_row_in_the_table() -> None:
    assert set(routes()) == set(PAGES)


def test_every_action_of_every_list_has_a_row_in_the_table(db: None) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("root")
    offered = {
        (f"{model._meta.model_name}/", action)
        for model, page in admin.site._registry.items()
        if model._meta.app_label == "chroniker"
        for action in page.get_actions(request)
    }
    assert offered == {(change.route, change.action) for change in CHANGES if change.action}


@pytest.mark.parametrize("route", PAGES)
def test_a_get_needs_the_right_to_view_and_changes_nothing(route: str, rows: SampleRows) -> None:
    page, before = PAGES[route], everything()
    for person in PEOPLE:
        answer = browser(person).get(f"{address(route, rows)}{page.query}")
        if person in page.sees:
            assert answer.status_code == page.status, person
            assert "/login/" not in answer.headers.get("Location", ""), person
        elif person == "anonymous" and not page.json:
            assert answer.status_code == 302 and "/login/" in answer["Location"]
        else:
            assert answer.status_code == 403, person
        if page.json:
            assert answer["Content-Type"] == "application/json", person
        if answer.streaming:
            b"".join(answer)  # the response does its work while it is read
        assert everything() == before, person


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
def test_no_other_method_changes_anything(method: str, rows: SampleRows) -> None:
    before, root = everything(), browser("root")
    for route in PAGES:
        answer = root.generic(method, address(route, rows), "post=yes", "application/x-www-form-urlencoded")
        assert answer.status_code < 500, route
        assert everything() == before, route


@pytest.mark.parametrize("change", BY_NAME)
def test_a_post_with_permission_changes_rows_and_is_logged(change: str, rows: SampleRows) -> None:
    route, data = BY_NAME[change].route, BY_NAME[change].data(rows)
    before = everything()
    for person in PEOPLE:
        with undone():
            answer = browser(person).post(address(route, rows), data)
            if person in BY_NAME[change].by:
                assert answer.status_code == 302 and "/login/" not in answer["Location"], person
                assert everything() != before, person
                assert LogEntry.objects.filter(user__username=person).exists(), person
            else:
                assert answer.status_code in ((200, 302, 403) if BY_NAME[change].action else (302, 403)), person
                assert everything() == before, person


@pytest.mark.parametrize("route", PAGES)
def test_a_post_without_a_csrf_token_is_refused_and_changes_nothing(route: str, rows: SampleRows) -> None:
    data = CHANGE_OF[route].data(rows) if route in CHANGE_OF else {}
    before = everything()
    for person in PEOPLE:
        assert browser(person, strict=True).post(address(route, rows), data).status_code == 403, person
        assert everything() == before, person


@pytest.mark.parametrize("route", sorted(PAGES.keys() - CHANGE_OF.keys()))
def test_a_post_to_a_read_only_page_changes_nothing(route: str, rows: SampleRows) -> None:
    before = everything()
    noise = {"post": "yes", "status": "LOST", "name": "taken", "action": "delete_selected", "_selected_action": "1"}
    for person in PEOPLE:
        answer = browser(person).post(address(route, rows), noise)
        assert answer.status_code < 500, person
        assert everything() == before, person


@pytest.mark.parametrize("change", [change.name for change in CHANGES if change.action])
def test_an_action_on_all_rows_needs_the_same_permission(change: str, rows: SampleRows) -> None:
    """ "Select all across pages" sends only a flag."""
    chosen = {**BY_NAME[change].data(rows), "select_across": "1"}
    before = everything()
    for person in sorted(PEOPLE.keys() - BY_NAME[change].by):
        browser(person).post(address(BY_NAME[change].route, rows), chosen)
        assert everything() == before, person


BAD_IDS = ["0", "999999", "9" * 30, "00000000-0000-0000-0000-000000000000", "..%2F..%2Fetc", "%00", "1'--"]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_an_unknown_id_is_not_a_server_error_and_changes_nothing(bad: str, rows: SampleRows) -> None:
    before, root = everything(), browser("root")
    for route in (each for each in PAGES if "<" in each):
        start, _bracket, rest = route.partition("<")
        for answer in (root.get, root.post):
            assert 300 <= answer(f"/{PREFIX}{start}{bad}{rest.partition('>')[2]}").status_code < 500, route
        assert everything() == before, route


@pytest.mark.parametrize("question", ["subscribers__password__startswith=m", "group__jobs__secrets__contains=a"])
def test_a_list_cannot_be_filtered_by_hidden_fields(question: str, rows: SampleRows) -> None:
    root = browser("root")
    assert root.get(f"/{PREFIX}monitor/?{question}").status_code in (302, 400)
    assert listed(root, f"/{PREFIX}job/?{question}") == listed(root, f"/{PREFIX}job/") != []


def test_a_clone_needs_the_right_to_view_the_job(staff: Callable[..., Client], rows: SampleRows) -> None:
    address = cloning.clone_url(rows.idle)
    assert staff("add_job").get(address).status_code == 403
    assert rows.idle.command in staff("add_job", "view_job").get(address).content.decode()


def test_the_table_has_only_actions_of_known_pages() -> None:
    assert {change.route for change in CHANGES} <= set(PAGES)
    assert all(isinstance(change, Change) and change.by <= set(PEOPLE) for change in CHANGES)
