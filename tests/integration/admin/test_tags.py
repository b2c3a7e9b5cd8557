"""Tags of jobs: the form makes new ones, the list and commands filter by them, code declares them."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client

from chroniker.admin.jobs.cloning import clone_url
from chroniker.declared import source_code
from chroniker.models import Job, Tag
from chroniker.models.tag import MAX_TAGS_PER_JOB, split_tags
from tests.support.admin_pages import errors, fields, open_form, url
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

LIST = "/admin/chroniker/job/"
NEVER = "0 0 1 1 *"


def a_tagged_job(name: str, *tags: str) -> Job:
    job = a_booked_job(name=name, cron=NEVER)
    job.tags.set(Tag.objects.get_or_create_tags(tags))
    return job


def tags(job: Job) -> list[str]:
    return [tag.name for tag in job.tags.all()]


def test_a_text_is_split_into_tags_in_lower_case() -> None:
    assert split_tags(" Nightly, etl:orders  nightly\n") == ("etl:orders", "nightly")
    assert split_tags("") == ()


@pytest.mark.parametrize("text", ["-x", "a/b", "é", "x" * 51, " ".join(f"t{n}" for n in range(MAX_TAGS_PER_JOB + 1))])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        split_tags(text)


def test_the_form_adds_and_removes_tags_and_writes_both_into_the_history(admin: Client) -> None:
    job = a_tagged_job("report", "old", "kept")
    sent = open_form(admin, job)
    assert sent["tags"] == "kept old"
    assert admin.post(url(job), {**sent, "tags": "Kept, new"}).status_code == 302
    assert tags(job) == ["kept", "new"]
    history = admin.get(f"{LIST}{job.pk}/history/").content.decode()
    assert "Tags from “kept, old” to “kept, new”" in history


def test_an_invalid_tag_is_reported_and_the_text_stays(admin: Client) -> None:
    job = a_tagged_job("report", "kept")
    page = admin.post(url(job), {**open_form(admin, job), "tags": "kept a/b"})
    assert "“a/b” is not a valid tag." in errors(page)["tags"][0]
    assert fields(page)["tags"] == "kept a/b" and tags(job) == ["kept"] and not Tag.objects.filter(name="a/b")


def test_the_message_about_a_long_text_quotes_its_beginning() -> None:
    with pytest.raises(ValidationError) as raised:
        split_tags("x" * 100_000)
    assert len(raised.value.messages[0]) < 200


def test_an_old_page_keeps_the_tags_of_others(admin: Client) -> None:
    job = a_tagged_job("report", "one")
    sent = open_form(admin, job)
    job.tags.set(Tag.objects.get_or_create_tags(["two"]))
    assert admin.post(url(job), {**sent, "timeout_seconds": "7"}).status_code == 302
    assert tags(job) == ["two"]
    page = admin.post(url(job), {**sent, "tags": "one three"})
    assert "Another user changed this" in errors(page)["tags"][0] and tags(job) == ["two"]


def test_the_list_of_jobs_can_be_limited_to_a_tag(admin: Client) -> None:
    a_tagged_job("one", "night", "etl")
    a_tagged_job("two", "web")
    Tag.objects.get_or_create_tags(["unused"])
    whole = admin.get(LIST).content.decode()
    assert 'name="tag"' in whole and "<option>night</option>" in whole and "unused" not in whole
    assert '<span class="ops-tag">night</span>' in whole
    found = admin.get(f"{LIST}?tag=night").content.decode()
    assert ">one<" in found and ">two<" not in found
    found = admin.get(f"{LIST}?tag=Night").content.decode()
    assert ">one<" in found and ">Night<" not in found
    assert ">two<" in admin.get(f"{LIST}?q=web").content.decode()
    assert "No job matches." in admin.get(f"{LIST}?tag=missing").content.decode()
    exported = admin.get(f"{LIST}code/?tag=night").content.decode()
    assert 'tags=["etl", "night"]' in exported and "two" not in exported


def test_the_page_of_a_job_links_to_the_jobs_with_the_same_tag(admin: Client) -> None:
    job = a_tagged_job("one", "night")
    assert (
        '<a href="/admin/chroniker/job/?tag=night">night</a>' in admin.get(f"{LIST}{job.pk}/status/").content.decode()
    )
    assert 'tags=["night"]' in source_code.module_source(job)


def test_a_clone_has_the_same_tags(admin: Client) -> None:
    job = a_tagged_job("one", "night", "etl")
    sent = fields(admin.get(clone_url(job)))
    assert sent["tags"] == "etl night"
    assert admin.post(clone_url(job), {**sent, "name": "other"}).status_code == 302
    assert tags(Job.objects.get(name="other")) == ["etl", "night"]


def test_the_command_lists_jobs_with_a_tag(capsys: pytest.CaptureFixture[str]) -> None:
    a_tagged_job("one", "night", "etl")
    a_tagged_job("two")
    call_command("jobs", "--tag", "Night", "--json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["tags"]) for line in lines] == [("one", ["etl", "night"])]
