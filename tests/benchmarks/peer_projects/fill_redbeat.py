"""celery-redbeat: entries in Redis."""

from __future__ import annotations

import datetime as dt
import json

import redis
from celery.schedules import schedule
from celery_app import app
from plan import AT, DAY, DUE, FAR, REDIS
from redbeat import RedBeatSchedulerEntry
from redbeat.decoder import RedBeatJSONEncoder

every = schedule(DAY, app=app)
RedBeatSchedulerEntry("job", "peer.noop", every, app=app)  # sets app.redbeat_conf
last = [*[dt.datetime.now(dt.UTC)] * FAR, *[AT - DAY] * DUE]
pipe = redis.Redis.from_url(f"{REDIS}/1").pipeline(transaction=False)
for n, at in enumerate(last):
    name = f"job {n}"
    key = RedBeatSchedulerEntry.generate_key(app, name)
    definition = {"name": name, "task": "peer.noop", "args": (), "kwargs": {}, "options": {}, "enabled": True}
    pipe.hset(key, "definition", json.dumps({**definition, "schedule": every}, cls=RedBeatJSONEncoder))
    pipe.hset(key, "meta", json.dumps({"last_run_at": at}, cls=RedBeatJSONEncoder))
    pipe.zadd(app.redbeat_conf.schedule_key, {key: (at + DAY).timestamp()})
pipe.execute()
