"""Writes the history of a trial to a directory: report (with the seed), faults, witness file, all tables, all logs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.faults.environment import Environment
from tests.faults.trial import InjectedFault


def write(
    environment: Environment, report: Mapping[str, Any], faults: Iterable[InjectedFault], directory: Path
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(json.dumps(report, indent=1))
    (directory / "faults.jsonl").write_text("".join(f"{json.dumps(fault._asdict())}\n" for fault in faults))
    for path in [*environment.directory.glob("*.log"), environment.witness]:
        if path.exists():
            shutil.copy(path, directory)
    _write_tables(directory)


def _write_tables(directory: Path) -> None:
    """Each table in a file with one JSON object per row."""
    from django.db import connection

    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            if not table.startswith(("chroniker_", "fault_")):
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            lines = [json.dumps(dict(zip(names, row, strict=True)), default=str) for row in cursor.fetchall()]
            (directory / f"{table}.jsonl").write_text("".join(f"{line}\n" for line in lines))
