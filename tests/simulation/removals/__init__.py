"""The safeguards of the product that can be removed, each as a replacement of text in its source."""

from __future__ import annotations

from tests.simulation.removals import claims, ends, runs

REPLACEMENTS = {**claims.REPLACEMENTS, **runs.REPLACEMENTS, **ends.REPLACEMENTS}
#: Names that a replacement needs at the top of its file.
IMPORTS = {
    "edit-is-dated-by-its-host": "from django.utils import timezone\n",
    "lease-from-the-answer": "from chroniker.process.kernel import boot_clock\n",
}
