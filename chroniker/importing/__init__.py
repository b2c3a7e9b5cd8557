"""Imports jobs of other schedulers, without importing their code.

Belongs here: the steps that all imports share; one folder per source. Does not belong here: the import from
django-celery-beat (``chroniker_celery.importing``).
"""

from chroniker.importing.candidate import ImportCandidate, ImportOutcome
from chroniker.importing.saving import save_candidates

__all__ = ["ImportCandidate", "ImportOutcome", "save_candidates"]
