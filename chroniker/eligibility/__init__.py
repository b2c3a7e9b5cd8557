"""Whether a job may be claimed now, and why not: due instants, dependencies, groups, pauses, hosts."""
