# mypy: ignore-errors
import datetime as dt, random, os
from pathlib import Path
import pytest
from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import *
from chroniker import models as m
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import *
OUT = Path("/tmp/shots"); OUT.mkdir(exist_ok=True)

def fill():
    now = database_now()
    rnd = random.Random(4)
    group = Group.objects.create(name="Imports", limit=1)
    names = ["Import the catalogue", "Rebuild the search index", "Charge open invoices", "Refresh dashboards", "Send the newsletter"]
    for i, name in enumerate(names):
        job = a_booked_job(name=name, cron="*/15 * * * *", group=group if i == 0 else None)
        run = run_now(job, by="x"); nonce = started(run, host="batch-1")
        if i != 3:
            lifecycle.renew(run.pk, run.token, nonce, (14800, 11692) if i == 0 else (100, 88) if i==1 else (40, 26))
        Run.objects.filter(pk=run.pk).update(started_at=now - dt.timedelta(seconds=100 * i + 72), worker="celery@batch-1")
        JobState.objects.filter(pk=job.pk).update(p50=88)
    run_now(a_booked_job(name="Train recommendations", queue="gpu", cron="0 3 * * *"), by="x")
    a_due_job(name="Synchronise images", minutes=3, group=group)
    w = a_due_job(name="Warm the page cache", minutes=2)
    a_dependency(w, Job.objects.get(name="Rebuild the search index"), wait_for_completion=True)
    for name in ["Are there unpaid sales", "Is the disk full", "Settle card payments", "Import prices", "Handle bounces", "Delete old runs"]:
        a_booked_job(name=name, cron=f"{rnd.randrange(60)} * * * *")
    a_booked_job(name="Beat", cron="* * * * *")
    hour = now.replace(minute=0, second=0, microsecond=0)
    job = Job.objects.get(name="Beat")
    for h in range(24):
        m.RunHour.objects.create(job=job, hour=hour - dt.timedelta(hours=h), succeeded=rnd.randrange(60, 100), failed=rnd.choice([0, 0, 0, 1, 3]), delay_0=50, delay_1=20, delay_2=3)
    for n, host in enumerate(["app-1", "app-2", "batch-1", "batch-2", "gpu-1"]):
        h = Host.objects.create(name=host, last_seen=now - (dt.timedelta(hours=3) if host == "gpu-1" else dt.timedelta(seconds=n)), clock_skew_seconds=[0.01, -0.01, 0.01, 0.02, 2.71][n])
        m.HostService.objects.create(host=h, executor="celery", worker=f"celery@{host}", last_seen=h.last_seen, queues=[["billing", "mail"], ["default", "billing"], ["heavy", "default"], ["heavy"], ["gpu"]][n], slots=4 if n < 4 else 2, busy=[4, 2, 2, 3, 0][n], version="2.0.0" if n != 2 else "1.9.0", started_at=now - dt.timedelta(hours=30))
    for name, err in (("Settle cards", "CardDeclined: gateway answered 503 Service Unavailable"), ("Import supplier orders", "")):
        job = a_booked_job(name=name, cron="44 * * * *")
        for _ in range(3):
            run = run_now(job, by="x"); lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, exit_code=1))
            Run.objects.filter(pk=run.pk).update(error_line=err)
    job = a_booked_job(name="Archive orders")
    JobState.objects.filter(pk=job.pk).update(schedule_error="0 1 31 2 *: February has no day 31", schedule_error_since=now - dt.timedelta(days=3), next_run=None, next_instant=None)
    from chroniker.insights import health_facts; health_facts.forget()
    ago = 360 if os.environ.get("DOWN") else 2
    if os.environ.get("UNKNOWN"):
        health_facts.read = lambda now: 1/0
    m.Ticker.objects.create(host="app-1", kind="beat", version="2.0.0", pid=77, period=5, last_at=now - dt.timedelta(seconds=ago), pass_seconds=0.041)
    minute = now.replace(second=0, microsecond=0)
    for n in range(1, 300):
        if n in (20, 21): continue
        m.TickMinute.objects.create(host="app-1", minute=minute - dt.timedelta(minutes=n), passes=12, longest_pass=rnd.uniform(.02, .07) if n % 37 else .6, longest_gap=5.1 if n != 19 else 130, claimed=rnd.randrange(9))

PATHS = {"now": "/admin/chroniker/job/now/", "fleet": "/admin/chroniker/host/", "jobs": "/admin/chroniker/job/", "group": "/admin/chroniker/group/", "groupform": "/admin/chroniker/group/1/change/", "msgs": "/admin/chroniker/outbox/", "monitors": "/admin/chroniker/monitor/", "calendars": "/admin/chroniker/calendar/", "calform": "/admin/chroniker/calendar/add/", "pause": "/admin/chroniker/job/pause/", "index": "/admin/", "appindex": "/admin/chroniker/", "delete": "/admin/chroniker/group/1/delete/", "reliability": "/admin/chroniker/run/reliability/"}

def test_shots(open_page, complaints):
    if os.environ.get("FILL", "1") == "1":
        fill()
    for name in os.environ.get("PAGES", "now").split(","):
        for variant in os.environ.get("VARIANTS", "light,dark,narrow").split(","):
            page = open_page(PATHS[name], width=400 if variant == "narrow" else 1280, color_scheme="dark" if variant == "dark" else "light")
            page.wait_for_timeout(300)
            page.screenshot(path=OUT / f"{name}-{variant}.png", full_page=True)
            over = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            if over: print("OVERFLOW", name, variant)
            page.close()
    print(complaints)

