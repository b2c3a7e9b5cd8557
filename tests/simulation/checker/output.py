"""At the end: the stored lines are those that left the command, from the first on; a missing end is marked."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.checker.rows import rows
from tests.simulation.checker.witness import Witness
from tests.simulation.world import World

#: Events that say that the end of the output is, or may be, missing.
MARKS = {"OUTPUT_UNSTORED": "missing", "OUTPUT_MISSING": "missing"}


def check(world: World, witness: Witness) -> None:
    texts: dict[str, str] = defaultdict(str)
    remarks: dict[str, str] = defaultdict(str)
    for run, stream, text in rows("SELECT run_id, stream, text FROM chroniker_logchunk ORDER BY run_id, stream, seq"):
        (texts if stream == 1 else remarks)[run] += text
    for run, code in rows("SELECT run_id, code FROM chroniker_runevent"):
        remarks[run] += MARKS.get(code, "")
    for run_id, lines in witness.lines.items():
        run = run_id.hex
        found = rows("SELECT status, job_id, token FROM chroniker_run WHERE id = ?", run)
        if not found:
            continue  # retention deleted it
        status, job, token = found[0]
        written = "".join(f"{number:06d}\n" for number in range(lines))
        if not written.startswith(texts[run]):
            world.violated("output", f"run {token} of job {job} stores what its command did not write")
        elif texts[run] != written and "missing" not in remarks[run]:
            sizes = f"{len(texts[run])} of {len(written)} characters"
            world.violated("output", f"run {token} of job {job} ({status}) stores {sizes}, without a mark")
