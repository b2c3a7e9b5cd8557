/*
 * The fence of a command: its transaction locks the row of the run and checks that the run is open; then it writes its
 * effects and commits. Meanwhile the run's lease expires, a tick closes the run, and the next run of the job starts.
 *
 * The transaction may have made a snapshot by a read before the fence, at REPEATABLE READ. A locking read returns the
 * newest row (or fails), a plain one that of the snapshot. Expiry locks the row of the run too, and skips locked rows.
 *
 * Checked: no effect of a run is committed after the run was closed. Remove a safeguard with -DPLAIN_READ (the fence reads
 * from the snapshot), -DNO_LOCK (the fence checks without a lock) or -DEXPIRY_IGNORES_LOCKS, and the assertion fails.
 */

mtype = { RUNNING, LOST };

mtype status = RUNNING;     /* of the first run */
byte shared_locks = 0;      /* on its row, by fences */
bool closing = false;       /* an exclusive lock on its row, by the tick */

active proctype command() {
    mtype seen;
    byte turns = 0;
end:
    do
    :: turns == 2 -> break
    :: turns < 2 ->
        turns++;
        seen = status;                                          /* a first read of the transaction: its snapshot */
#ifdef NO_LOCK
        seen = status;
#else
        atomic { !closing -> shared_locks++ };
#ifndef PLAIN_READ
        seen = status;                                          /* the newest row */
#endif
#endif
        if
        :: seen == RUNNING ->
            skip;                                               /* the command works within the fence */
            atomic {                                            /* the commit of its effects */
                assert(status == RUNNING);
#ifndef NO_LOCK
                shared_locks--
#endif
            }
        :: else ->
#ifdef NO_LOCK
            skip
#else
            shared_locks--                                      /* LeaseLost */
#endif
        fi
    od
}

/* The lease has run out: a tick closes the run, unless a fence holds its row. */
active proctype tick() {
    byte turns = 0;
    do
    :: turns == 3 || status == LOST -> break
    :: turns < 3 && status == RUNNING ->
        turns++;
#ifdef EXPIRY_IGNORES_LOCKS
        status = LOST
#else
        if
        :: atomic { shared_locks == 0 -> closing = true };
            atomic { status = LOST; closing = false }
        :: shared_locks > 0                                     /* skipped: the next tick looks again */
        fi
#endif
    od
}
