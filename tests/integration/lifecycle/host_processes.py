"""The processes of a host, as the expiry of runs sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class Here:
    """Processes of a host that uses lock files."""

    held: bool | None
    survivors: list[str] = field(default_factory=list)
    killed: list[UUID] = field(default_factory=list)
    host: str = "here"
    has_lock_files: bool = True

    def is_run_lock_held(self, run_id: UUID) -> bool | None:
        return self.held

    def kill_remaining_processes(self, run_id: UUID) -> list[str]:
        self.killed.append(run_id)
        return self.survivors
