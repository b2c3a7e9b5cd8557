"""A module that cannot be imported, as one whose library is missing on this machine."""

raise SystemExit("a library <that> is missing")
