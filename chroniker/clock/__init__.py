"""The database's clock, which decides; and noticing when it jumps."""
