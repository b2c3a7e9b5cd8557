"""Jobs in the admin: the list, the form, and the page of one job."""
