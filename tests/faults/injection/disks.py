"""A disk that is full when output is to be stored: a trigger that fails while a switch is on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FULL = "UPDATE fault_disk SET is_full = 1"
FREE = "UPDATE fault_disk SET is_full = 0"
IS_FULL = "EXISTS (SELECT 1 FROM fault_disk WHERE is_full = 1)"

TRIGGERS = {
    "postgresql": [
        f"""CREATE FUNCTION fault_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF {IS_FULL} THEN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END IF;
              RETURN NULL; END $$""",
        "CREATE TRIGGER fault_disk BEFORE INSERT ON chroniker_logchunk EXECUTE FUNCTION fault_disk_full()",
    ],
    "mysql": [
        f"""CREATE TRIGGER fault_disk BEFORE INSERT ON chroniker_logchunk FOR EACH ROW
              IF {IS_FULL} THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'; END IF""",
    ],
    "sqlite": [
        f"""CREATE TRIGGER fault_disk BEFORE INSERT ON chroniker_logchunk WHEN {IS_FULL}
              BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END""",
    ],
}


def prepare(query: Callable[[str], Any], vendor: str) -> None:
    """Once for each database: the table is what says that it was done."""
    try:
        query("CREATE TABLE fault_disk (is_full INTEGER NOT NULL)")
    except Exception:
        return
    query("INSERT INTO fault_disk VALUES (0)")
    for statement in TRIGGERS[vendor]:
        query(statement)
