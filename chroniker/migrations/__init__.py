"""Migrations of the tables. The numbers 0001 to 0099 are those of django-chroniker, whose app label is the same.

Code that other modules import does not belong here.
"""
