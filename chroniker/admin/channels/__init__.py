"""Channels in the admin: the list, the form, and the button that sends a test."""
