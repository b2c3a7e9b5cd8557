"""Jobs in the admin: the list, the form, and the pages of one job.

Code that other pages use too (cells, filters, run and stop) does not belong here (``shared``).
"""
