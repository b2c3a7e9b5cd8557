"""What jobs share: groups with their limits and pauses, calendars with closed times."""
