"""Checks of what jobs need to run: database, tables, runtime directory, executors."""

from __future__ import annotations

from django.core.checks import ERROR
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

from chroniker.checks.databases import check_databases
from chroniker.checks.executors import check_executors
from chroniker.checks.host import check_host
from chroniker.checks.migrations import check_migrations
from chroniker.checks.runtime_dir import check_runtime_dir
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.executors import executors as configured
from chroniker.management.console import local_time_text
from chroniker.management.diagnosis.finding import FindingLevel, Findings, findings_from_messages
from chroniker.models import Host, Job
from chroniker.scheduler.database_errors import APPS_WITH_TABLES, MIGRATE_HINT


def diagnose_database() -> Findings:
    now = database_now()
    with transaction.atomic(using=settings.database):
        Host.objects.filter(pk=-1).update(last_seen=now)  # matches no row; a read-only database refuses it nevertheless
    vendor = connections[settings.database].vendor
    yield FindingLevel.OK, f"{vendor} answers and is writable; its clock is {local_time_text(now)}.", ""
    yield from findings_from_messages(check_databases())


def diagnose_migrations() -> Findings:
    if wrong := list(findings_from_messages(check_migrations(databases=[settings.database]))):
        yield from wrong
        return
    executor = MigrationExecutor(connections[settings.database])
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] in APPS_WITH_TABLES]
    plan = [migration for migration, _backwards in executor.migration_plan(leaves)]
    missing = [
        f"{migration.app_label}.{migration.name}" for migration in plan if migration.app_label in APPS_WITH_TABLES
    ]
    if missing:
        yield FindingLevel.ERROR, f"Not applied: {', '.join(missing)}.", MIGRATE_HINT
    else:
        yield FindingLevel.OK, "All are applied.", ""


def diagnose_runtime_directory() -> Findings:
    found = list(findings_from_messages(check_runtime_dir()))
    yield from found
    if not found:
        yield FindingLevel.OK, f"{settings.runtime_dir} is usable.", ""


def diagnose_this_host() -> Findings:
    found = list(findings_from_messages(check_host()))
    yield from found
    if not found:
        yield FindingLevel.OK, "The kernel can guard runs, and commands can start warm.", ""


def diagnose_executors() -> Findings:
    messages = check_executors()
    yield from findings_from_messages(messages)
    if any(message.level >= ERROR for message in messages):
        return
    used: dict[str, set[str]] = {"default": set()}
    pairs = Job.objects.filter(enabled=True, executor__in=list(configured)).order_by().values_list("executor", "queue")
    for alias, queue in pairs.distinct():
        used.setdefault(alias, set()).add(queue)
    for alias, queues in sorted(used.items()):
        wrong = list(findings_from_messages(configured[alias].diagnose(queues or {""}), f"“{alias}”: "))
        yield from wrong
        if not wrong:
            yield FindingLevel.OK, f"“{alias}” can take runs.", ""
