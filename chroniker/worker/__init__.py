"""One run in a worker: supervise the command, renew the lease, pass on its output. Imports no models."""
