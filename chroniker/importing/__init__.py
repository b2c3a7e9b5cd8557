"""Jobs of other schedulers, brought over. Nothing here imports any of them."""

from chroniker.importing.candidate import Candidate, Outcome
from chroniker.importing.saving import bring_in

__all__ = ["Candidate", "Outcome", "bring_in"]
