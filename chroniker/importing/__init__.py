"""Jobs of other schedulers, brought over. Nothing here imports any of them."""

from chroniker.importing.bringing import bring_in
from chroniker.importing.candidate import Candidate, Outcome

__all__ = ["Candidate", "Outcome", "bring_in"]
