"""Code that several pages of the admin use: frame, refresh, filters, run and stop, pauses, links.

Code for a single page does not belong here, but in the folder of that page.
"""
