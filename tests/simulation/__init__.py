"""Deterministic simulation: the product code of scheduler, supervisor and keeper in one thread, from one seed."""
