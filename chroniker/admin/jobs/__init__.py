"""Jobs in the admin: the list, the form, and the pages of one job.

What is used by other pages too (cells, filters, run and stop) belongs into ``shared``.
"""
