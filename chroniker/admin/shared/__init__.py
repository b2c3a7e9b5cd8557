"""What several pages of the admin use: cells, filters, live refresh, run and stop, pausing."""
