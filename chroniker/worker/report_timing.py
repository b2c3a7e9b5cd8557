"""The waits and limits for the reports of a run, in seconds."""

MAX_START_TRIES = 5
START_BACKOFF_SECONDS = 0.2  #: before the second try of a start; doubled before each further try
RETRY_SECONDS = 1.0  #: between two tries of any other report
MIN_RENEWAL_INTERVAL = 0.1  #: the shortest time between two renewals, however often the supervisor is woken
MIN_PROGRESS_INTERVAL = 1.0  #: the shortest time between two renewals that are sent early because of new progress
OUTPUT_WAIT_BEFORE_FINISH_SECONDS = 5.0  #: how long a finish waits for output that is not stored yet
OUTPUT_WAIT_AFTER_FINISH_SECONDS = 30.0  #: how long output may take after the finish
FINISH_RETRY_SECONDS_AFTER_LEASE = 30.0  #: a finish is tried for the length of a lease, and this much longer
