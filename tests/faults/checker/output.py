"""The stored output is what the command wrote, from its beginning and without a gap; a missing end is marked.

The status LOST is no mark: it says nothing about the output.
"""

from __future__ import annotations

import re
from collections import defaultdict

from tests.faults.checker.executions import Execution
from tests.faults.checker.findings import Findings, Query, run_key

#: Characters of "000000\n".
WIDTH = 7
_MISSING = re.compile(r"(\d+) bytes of stdout are missing")


def check(findings: Findings, query: Query, executions: list[Execution], lines: int) -> None:
    written = {each.run: each.written for each in executions}
    texts, remarks = _texts(query), _remarks(query)
    events = "SELECT run_id FROM chroniker_runevent WHERE code LIKE 'OUTPUT%%' OR text LIKE '%%missing%%'"
    marked = {run_key(pk) for (pk,) in query(events)}
    announced = set(marked)  # the outcome was reported before the output, and the process that had the output died
    marked |= {run_key(pk) for (pk,) in query("SELECT run_id FROM chroniker_logchunk WHERE text LIKE '%%missing%%'")}
    whole = "".join(f"{number:06d}\n" for number in range(lines))
    bad, stored = [], 0
    for pk, status, name in query(
        "SELECT r.id, r.status, j.name FROM chroniker_run r JOIN chroniker_job j ON j.id = r.job_id"
        " WHERE r.started_at IS NOT NULL AND r.finished_at IS NOT NULL AND r.required_host <> '*'"
    ):
        run, text = run_key(pk), texts[run_key(pk)]
        stored += len(text)
        if name.startswith(("flood", "murmur")):
            size = int(name.split()[1]) if " " in name else len(text)  # of a flood it is in the name
            wrong = _flood(text, size, remarks[run] if status == "SUCCEEDED" and run not in announced else None)
        else:
            due = len(whole) if status == "SUCCEEDED" and name.startswith("chatty") else written.get(run, 0) * WIDTH
            wrong = _lines(text, whole, due, said=run in marked)
        if wrong:
            bad.append(f"{pk} ({name}, {status}): {wrong}")
    findings.figures["output_bytes"] = stored
    findings.count("output_missing_unmarked", bad)


def _texts(query: Query) -> dict[str, str]:
    pieces: dict[str, list[str]] = defaultdict(list)
    for pk, text in query("SELECT run_id, text FROM chroniker_logchunk WHERE stream = 1 ORDER BY run_id, seq"):
        pieces[run_key(pk)].append(text)
    return defaultdict(str, {run: "".join(texts) for run, texts in pieces.items()})


def _lines(text: str, whole: str, due: int, *, said: bool) -> str:
    if not whole.startswith(text):
        return f"not what was written, after {len(text)} characters"
    if len(text) < due and not said:
        return f"only {len(text)} of {due} characters, and nothing says so"
    return ""


def _flood(text: str, size: int, remarks: str | None) -> str:
    """ "xxx…" without end, more than the log may hold: what is missing is counted to the byte. None: it did not end,
    or its end is marked as missing."""
    if text.strip("x"):
        return "not what was written"
    missing = sum(int(each) for each in _MISSING.findall(remarks or ""))
    if remarks is None or len(text) + missing == size:
        return ""
    return f"{len(text)} bytes, and {missing} said to be missing, of {size}"


def _remarks(query: Query) -> dict[str, str]:
    found: dict[str, str] = defaultdict(str)
    for pk, text in query("SELECT run_id, text FROM chroniker_logchunk WHERE stream = 0"):
        found[run_key(pk)] += text
    return found
