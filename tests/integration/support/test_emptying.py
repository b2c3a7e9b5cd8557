from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.test import TransactionTestCase

from chroniker.models import Job, JobState
from tests.support import emptying
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db(transaction=True)


def end_of_a_test() -> None:
    class Case(TransactionTestCase):
        def runTest(self) -> None: ...

    emptying.empty(Case())


def test_rows_that_reference_each_other_are_deleted_and_created_rows_stay() -> None:
    kept = [list(model.objects.order_by("pk").values()) for model in (ContentType, Permission, Site)]
    group = Group.objects.create(name="operators")
    group.permissions.set(Permission.objects.all())
    a_job()
    end_of_a_test()
    assert not Job.objects.exists() and not JobState.objects.exists() and not Group.objects.exists()
    assert not Group.permissions.through.objects.exists()
    assert [list(model.objects.order_by("pk").values()) for model in (ContentType, Permission, Site)] == kept


def test_what_migrate_created_is_created_again_if_a_test_has_changed_it() -> None:
    Site.objects.update(domain="elsewhere.example.org")
    Permission.objects.filter(codename="view_job").delete()
    end_of_a_test()
    assert Site.objects.get().domain == "example.com"
    assert Permission.objects.filter(codename="view_job").exists()
