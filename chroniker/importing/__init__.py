"""Jobs of other schedulers, brought over. Nothing here imports any of them."""

from chroniker.importing.candidate import Candidate, Outcome
from chroniker.importing.saving import save_candidates

__all__ = ["Candidate", "Outcome", "save_candidates"]
