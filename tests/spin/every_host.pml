/*
 * A run on every host: a parent and CHILDREN runs, closed by their workers or by expiry. The parent is closed in the
 * transaction that closes its last child; the next run of the job may start as soon as the parent is closed.
 *
 * Transactions see only what is committed, so two last children could each see the other one open. Each closing
 * transaction therefore locks the state of the job first. A tick looks at the parent when its lease runs out: it extends
 * the lease while a child is open.
 *
 * Checked: the parent is closed only when all children are closed; it is closed when the last closing transaction has
 * committed. Remove a safeguard with -DNO_LOCK (closing does not lock the job state) or -DNO_EXTENSION (the tick closes
 * the parent with its lease), and an assertion fails.
 */

#define CHILDREN 3

bool is_open[CHILDREN];     /* as committed */
bool parent_open = true;
bool locked = false;        /* the state of the job */
byte committed = 0;         /* closing transactions */

inline close_parent() {
    parent_open = false;
    assert(!is_open[0] && !is_open[1] && !is_open[2])
}

/* A child ends: by its worker's report, or by a tick that finds its lease expired. */
proctype child(byte me) {
    bool others_open;
#ifndef NO_LOCK
    atomic { !locked -> locked = true };
#endif
    others_open = (is_open[(me + 1) % CHILDREN] || is_open[(me + 2) % CHILDREN]);   /* what this transaction sees */
    atomic {                                                                        /* its commit */
        is_open[me] = false;
        if
        :: !others_open && parent_open -> close_parent()
        :: else
        fi;
        committed++;
        locked = false;
        if
        :: committed == CHILDREN -> assert(!parent_open)
        :: else
        fi
    }
}

/* Ticks that find the parent's lease expired. */
proctype ticks() {
    byte turns = 0;
    bool children_open;
    do
    :: turns == 2 -> break
    :: turns < 2 ->
        turns++;
        atomic { !locked -> locked = true };
        children_open = (is_open[0] || is_open[1] || is_open[2]);
        atomic {
            if
#ifdef NO_EXTENSION
            :: parent_open -> close_parent()
#else
            :: parent_open && !children_open -> close_parent()
            :: parent_open && children_open         /* the lease is extended */
#endif
            :: !parent_open
            fi;
            locked = false
        }
    od
}

init {
    atomic {
        is_open[0] = true; is_open[1] = true; is_open[2] = true;
        run child(0); run child(1); run child(2); run ticks()
    }
}
