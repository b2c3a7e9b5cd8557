"""Monitors in the admin: a list for those who look after things."""
