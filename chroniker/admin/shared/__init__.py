"""What several pages of the admin use: cells, filters, live refresh, run and stop, pauses, links.

What only one page uses belongs into the folder of that page.
"""
