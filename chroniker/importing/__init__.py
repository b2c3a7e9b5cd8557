"""Imports jobs of other schedulers, without importing their code."""

from chroniker.importing.candidate import Candidate, Outcome
from chroniker.importing.saving import save_candidates

__all__ = ["Candidate", "Outcome", "save_candidates"]
