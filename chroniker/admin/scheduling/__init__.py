"""Groups with their limits and pauses, and calendars with their blackouts, in the admin.

Belongs here: settings that several jobs share. The form of one job does not belong here (``jobs``).
"""
