"""The bodies of messages, one module for each kind of service. Pure: a notice and an endpoint give a request."""
