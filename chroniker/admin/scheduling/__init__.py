"""What jobs share, in the admin: groups with their limits and pauses, calendars with their blackouts."""
