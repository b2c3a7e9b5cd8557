/*
 * A group that allows LIMIT open jobs, and CLAIMERS that each claim one of its jobs, at any isolation level.
 *
 * A claimer locks the row of the group, then counts the open jobs, inserts its lease and commits. With snapshots
 * (REPEATABLE READ) the first plain read of a transaction fixes what it sees later, so counting before the wait for the
 * lock gives an old number. Jobs end at any time without the lock: that only frees places.
 *
 * Checked: never more open jobs than LIMIT. Remove a safeguard with -DNO_LOCK (claims do not lock the group) or
 * -DCOUNT_FIRST (they count before they lock), and the assertion fails.
 */

#define CLAIMERS 3
#define LIMIT 1
#define CLAIMS 2            /* of each claimer */

byte open_jobs = 0;         /* committed leases of the group */
bool locked = false;        /* the row of the group */

active [CLAIMERS] proctype claimer() {
    byte counted;
    byte turns = 0;
    bool mine = false;
    do
    :: turns == CLAIMS -> break
    :: turns < CLAIMS ->
        turns++;
#ifdef COUNT_FIRST
        counted = open_jobs;
#endif
#ifndef NO_LOCK
        atomic { !locked -> locked = true };
#endif
#ifndef COUNT_FIRST
        counted = open_jobs;
#endif
        if
        :: counted < LIMIT ->
            atomic {                                    /* the commit */
                open_jobs++;
                assert(open_jobs <= LIMIT);
                locked = false
            };
            mine = true
        :: else -> locked = false                       /* no place: nothing is written */
        fi;
        counted = 0;
        if
        :: mine -> atomic { open_jobs--; mine = false } /* the run ends */
        :: !mine
        fi
    od
}
