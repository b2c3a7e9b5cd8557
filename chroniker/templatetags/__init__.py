"""Template tags and filters for the admin pages of this app.

Queries and rules do not belong here.
"""
