"""procrastinate: its periodic tasks are declared in code. As a script: only the tables."""

from __future__ import annotations

import procrastinate
from plan import AT, DSN, DUE, FAR
from work import report_start

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=DSN))


@app.task(name="noop")
def noop(timestamp: int) -> None:
    report_start()


for number in range(FAR):
    app.periodic(cron="0 0 1 1 *", periodic_id=f"far {number}")(noop)
for number in range(DUE):
    app.periodic(cron=f"{AT.minute} {AT.hour} * * *", periodic_id=f"due {number}")(noop)

if __name__ == "__main__":
    with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=DSN)).open() as opened:
        opened.schema_manager.apply_schema()
