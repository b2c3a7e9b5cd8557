/*
 * Lock-file mode on one host: a kernel lock on the run's file, not the lease, decides whether a run lives. Two workers,
 * a tick, deaths at any step, and all guards of one run killed at once (supervisor, keeper and its parent) while a
 * process of the command survives.
 *
 * The supervisor takes the lock before it starts the run, and its keeper inherits it. The tick closes a run only when its
 * lock is free, after it has killed the processes that carry the run's mark. A tick that does not see the lock files
 * (another runtime directory) uses the lease, as a tick of another host does; the keeper's deadline protects against it.
 * Processes without the mark (a cleared environment) are killed by their keeper only.
 *
 * Checked: never two trees alive. Remove a safeguard with -DNO_SWEEP, -DNO_INHERITED_LOCK, -DLATE_LOCK or -DNO_DEADLINE,
 * and the assertion fails. Limit: guards are killed at once only where the tick sees the files and the processes carry
 * the mark; the documentation names both conditions.
 */

#define WORKERS 2
#define TOKENS 2
#define LEASE 3
#define MARGIN 1

mtype = { NONE, CLAIMED, RUNNING };

mtype status = NONE;
byte token = 0;             /* of the open run */
byte left = 0;              /* of its lease */
bool sees_files;            /* the tick uses the same runtime directory */
bool marked;                /* processes carry the mark */
byte alive = 0;
bool was_killed = false;    /* all guards of a run, once */

byte run_of[WORKERS];       /* the token whose lock file the worker uses */
bool by_supervisor[WORKERS];
bool by_keeper[WORKERS];    /* who holds the lock */
bool keeper[WORKERS];       /* lives */
bool tree[WORKERS];
byte deadline[WORKERS];

#define held(w) (run_of[w] == token && (by_supervisor[w] || by_keeper[w]))
#define is_locked (held(0) || held(1))

inline kill_tree(w) { tree[w] = false; alive-- }

inline keeper_ends(w) { keeper[w] = false; by_keeper[w] = false; deadline[w] = 0 }

active proctype ticks() {
    byte w;
    atomic {
        if :: sees_files = true :: sees_files = false fi;
        if :: marked = true :: marked = false fi
    };
end:
    do
    :: atomic { status == NONE && token < TOKENS -> token++; status = CLAIMED; left = 0 }
    :: atomic {
            status == RUNNING && sees_files && !is_locked ->
#ifndef NO_SWEEP
            w = 0;
            do
            :: w < WORKERS ->
                if
                :: marked && tree[w] && run_of[w] == token -> kill_tree(w)
                :: else
                fi;
                w++
            :: else -> break
            od;
            w = 0;
#endif
            status = NONE
        }
    :: atomic { status == RUNNING && !sees_files && left == 0 -> status = NONE }
    od
}

/* Time passes, unless a keeper has to act first. */
active proctype time() {
end:
    do
    :: atomic {
#ifndef NO_DEADLINE
            !(keeper[0] && tree[0] && deadline[0] == 0) && !(keeper[1] && tree[1] && deadline[1] == 0) ->
#else
            true ->
#endif
            if :: left > 0 -> left-- :: else fi;
            if :: deadline[0] > 0 -> deadline[0]-- :: else fi;
            if :: deadline[1] > 0 -> deadline[1]-- :: else fi
        }
    od
}

active [WORKERS] proctype worker() {
    byte me = _pid - 2;
end:
    do
    :: atomic { !tree[me] && !keeper[me] && token > 0 -> run_of[me] = token }
#ifndef LATE_LOCK
        atomic {
            if
            :: !is_locked && run_of[me] == token -> by_supervisor[me] = true
            :: else -> goto again
            fi
        }
#endif
        atomic {
            if
            :: status == CLAIMED && token == run_of[me] -> status = RUNNING; left = LEASE; deadline[me] = LEASE - MARGIN
            :: else -> goto again
            fi
        }
        if
        :: skip
        :: goto again                                           /* it dies */
        fi;
#ifdef LATE_LOCK
        by_supervisor[me] = true;
#endif
        atomic {
            if
#ifdef NO_DEADLINE
            :: true
#else
            :: deadline[me] > 0
            :: else -> goto again                               /* too late to begin */
#endif
            fi;
            keeper[me] = true; tree[me] = true; alive++;
#ifndef NO_INHERITED_LOCK
            by_keeper[me] = true;
#endif
            assert(alive <= 1)
        }
        do
        :: atomic { tree[me] && status == RUNNING && token == run_of[me] && (left > 0 || sees_files) ->
            left = LEASE; deadline[me] = LEASE - MARGIN }       /* a renewal */
        :: atomic { tree[me] && keeper[me] -> kill_tree(me); keeper_ends(me);
            if
            :: status == RUNNING && token == run_of[me] -> status = NONE    /* it ended, and is reported */
            :: else
            fi }
            break
        :: by_supervisor[me] = false; goto again                /* the supervisor dies alone */
        :: atomic { tree[me] && sees_files && marked && !was_killed -> was_killed = true;
            by_supervisor[me] = false; keeper_ends(me) }        /* all guards die, the tree survives */
            goto again
        :: atomic { !tree[me] -> break }
        od;
again:
        by_supervisor[me] = false;
        atomic { !keeper[me] && !tree[me] -> skip }
    od
}

/* The keeper: its supervisor is gone, or its deadline has passed. */
active [WORKERS] proctype guard() {
    byte me = _pid - 2 - WORKERS;
end:
    do
    :: atomic { keeper[me] && tree[me] && !by_supervisor[me] -> kill_tree(me); keeper_ends(me) }
#ifndef NO_DEADLINE
    :: atomic { keeper[me] && tree[me] && deadline[me] == 0 -> kill_tree(me); keeper_ends(me) }
#endif
    od
}
