/*
 * The database's clock jumps once, forward or back, while a run holds its lease. Two hosts, each with a tick and a worker.
 *
 * A lease ends by the database's clock, a keeper's deadline by the clock of its host, which does not jump. A host that
 * reads the database's clock after the jump notices it: for one lease and one unit more it expires and starts nothing,
 * and its ticks shorten leases to their length. A claim or expiry judges the clock again in its own transaction. A holder
 * on a host that has noticed the jump may renew a lease that only looks expired.
 *
 * Checked: never two trees alive; no run is closed as lost while its tree lives; after a host has settled the jump, no
 * lease is longer than LEASE. Remove a safeguard with -DNO_SUSPENSION, -DSHORT_SUSPENSION (one unit), -DJUDGED_ONCE (not
 * again in the transaction) or -DNO_CUT, and an assertion fails. Does not cover: a host that has no memory of the clock,
 * two jumps, a jump smaller than the margin.
 */

#define HOSTS 2
#define LEASE 3
#define MARGIN 1
#define BACK 5
#define TOKENS 2
#ifdef SHORT_SUSPENSION
#define SUSPENSION 1
#else
#define SUSPENSION (LEASE + 1)
#endif

mtype = { NONE, CLAIMED, RUNNING };

mtype status = NONE;
byte token = 0;
byte owner = 0;             /* 1 + the host whose worker started the run */
byte left = 0;              /* of the lease, by the database's clock */
bool jumped = false;

bool knows[HOSTS];          /* the host has read the clock since the jump */
bool unsettled[HOSTS];
byte suspended[HOSTS];      /* units left, by the host's clock */

byte alive = 0;
bool tree[HOSTS];
byte deadline[HOSTS];

inline kill(w) { tree[w] = false; alive--; deadline[w] = 0 }

/* Read and judge the clock. */
inline judge(h) {
    if
#ifndef NO_SUSPENSION
    :: jumped && !knows[h] -> knows[h] = true; unsettled[h] = true; suspended[h] = SUSPENSION
    :: else
#else
    :: true
#endif
    fi
}

inline count_down(h) {
    if :: deadline[h] > 0 -> deadline[h]-- :: else fi;
    if :: suspended[h] > 0 -> suspended[h]-- :: else fi
}

/* A unit of time passes, if no keeper has to act first. */
active proctype time() {
end:
    do
    :: atomic {
            !(tree[0] && deadline[0] == 0) && !(tree[1] && deadline[1] == 0) ->
            if :: left > 0 -> left-- :: else fi;
            count_down(0);
            count_down(1)
        }
    :: atomic { !jumped -> jumped = true; left = 0 }                /* leases look expired */
    :: atomic { !jumped && left > 0 -> jumped = true; left = left + BACK }
    od
}

active [HOSTS] proctype ticks() {
    byte me = _pid - 1;
end:
    do
    :: atomic { status == NONE && token < TOKENS && suspended[me] == 0 -> judge(me);
        if
        :: suspended[me] == 0 -> token++; status = CLAIMED; owner = 0; left = 0
        :: else
        fi }
    :: atomic { unsettled[me] ->
#ifndef NO_CUT
            if :: left > LEASE -> left = LEASE :: else fi;
#endif
            if
            :: suspended[me] == 0 -> unsettled[me] = false; assert(left <= LEASE)
            :: else
            fi }
    :: atomic { status == RUNNING -> judge(me) }                    /* the first statement of the pass */
        if
        :: suspended[me] > 0
        :: suspended[me] == 0 ->
            atomic {                                                /* the transaction that expires the run */
#ifndef JUDGED_ONCE
                judge(me);
#endif
                if
                :: suspended[me] == 0 && status == RUNNING && left == 0 ->
                    assert(!tree[owner - 1]); status = NONE; owner = 0
                :: else
                fi
            }
        fi
    od
}

active [HOSTS] proctype worker() {
    byte me = _pid - 1 - HOSTS;
    byte mine;
    bool granted;
end:
    do
    :: atomic { !tree[me] && token > 0 -> mine = token; deadline[me] = LEASE - MARGIN; granted = false }
        atomic {
            judge(me);
            if
            :: suspended[me] == 0 && status == CLAIMED && token == mine ->
                status = RUNNING; owner = me + 1; left = LEASE; granted = true
            :: else
            fi
        }
        atomic {
            if
            :: granted && deadline[me] > 0 -> tree[me] = true; alive++; assert(alive <= 1)
            :: else -> goto again                                   /* refused, too late, or it died */
            fi
        }
        do
        :: atomic { tree[me] && deadline[me] > 0 -> judge(me);      /* a renewal */
            if
            :: status == RUNNING && owner == me + 1 && token == mine && (left > 0 || suspended[me] > 0) ->
                left = LEASE; deadline[me] = LEASE - MARGIN
            :: else -> kill(me)
            fi }
        :: atomic { tree[me] -> kill(me) }                          /* the command ends */
            atomic {
                if
                :: status == RUNNING && owner == me + 1 && token == mine -> status = NONE; owner = 0
                :: true                                             /* its report is lost */
                fi
            }
            break
        :: atomic { !tree[me] -> break }
        od;
again:
        skip
    od
}

active [HOSTS] proctype keeper() {
    byte me = _pid - 1 - 2 * HOSTS;
end:
    do
    :: atomic { tree[me] && deadline[me] == 0 -> kill(me) }
    od
}
