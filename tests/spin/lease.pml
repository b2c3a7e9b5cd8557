/*
 * One slot of one job: claim, start, renewal, the keeper's deadline, finish and expiry, with two workers, lost answers,
 * deaths at any step, pauses of supervisors, and clocks that drift. Checked: never two trees alive, and never two
 * starts of one token. Time is in units of a tenth of a lease; a timer counts down to 0.
 *
 * Covers: messages delivered any number of times to any worker; answers of the database that come late or never;
 * a supervisor that dies or pauses between any two steps; a keeper whose clock is slow by DRIFT units in a lease.
 * Does not cover: a keeper and its command that are paused together (a machine that sleeps), which is what
 * chroniker.fence() is for; failover of the database; more than two workers.
 *
 * Remove a safeguard with -DNO_MARGIN, -DNO_KEEPER, -DNO_CAS or -DEARLY, and an assertion fails.
 */

#define WORKERS 2
#define LEASE 5
#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN 2
#endif
#define DRIFT 1
#define TOKENS 3            /* claims that are looked at, one after the other */

mtype = { NONE, CLAIMED, RUNNING };

mtype status = NONE;        /* the run's row and its lease, in the database */
byte token = 0;             /* of the open run */
byte owner = 0;             /* the nonce: 1 + the worker that started it; 0: none */  
byte left = 0;              /* until the lease runs out, by the database's clock */
byte starts = 0;            /* granted for the open token */

byte alive = 0;             /* process trees */
byte deadline[WORKERS];     /* of the tree's keeper, by its own clock */
bool tree[WORKERS];
byte asked[WORKERS];        /* what would be left of the deadline if the answer on its way is yes */
byte slow[WORKERS];         /* units by which this clock may still fall behind in this lease */

inline kill(w) { tree[w] = false; alive = alive - 1; deadline[w] = 0 }

/* A unit of time passes, if no keeper has to act first. */
active proctype clock() {
    byte w;
end:
    do
    :: atomic {
#ifndef NO_KEEPER
        !(tree[0] && deadline[0] == 0) && !(tree[1] && deadline[1] == 0) ->
#else
        true ->
#endif
        if :: left > 0 -> left-- :: else fi;
        w = 0;
        do
        :: w < WORKERS ->
            if
            :: asked[w] > 0 -> asked[w]--
            :: else
            fi;
            if
            :: deadline[w] > 0 -> deadline[w]--
            :: deadline[w] > 0 && slow[w] > 0 -> slow[w]--          /* its clock stood still meanwhile */
            :: deadline[w] == 0
            fi;
            w++
        :: else -> break
        od;
        w = 0
    }
    od
}

/* A tick: claims when nothing is open, expires when the lease has run out. */
active proctype ticks() {
end:
    do
    :: atomic { status == NONE && token < TOKENS ->
        token++; status = CLAIMED; owner = 0; starts = 0; left = 0 }
#ifdef EARLY
    :: atomic { status == RUNNING -> status = NONE; owner = 0 }
#else
    :: atomic { status == RUNNING && left == 0 -> status = NONE; owner = 0 }
#endif
    od
}

/* One delivery after the other; it may die before each step. */
active [WORKERS] proctype worker() {
    byte me = _pid - 2;
    byte mine;
    bool granted;
end:
    do
    :: atomic { !tree[me] && token > 0 -> mine = token; asked[me] = LEASE - MARGIN; granted = false }
        /* the start, in the database */
        atomic {
            if
#ifdef NO_CAS
            :: status != NONE && token == mine ->
#else
            :: status == CLAIMED && token == mine ->
#endif
                status = RUNNING; owner = me + 1; left = LEASE; starts++; granted = true;
                assert(starts == 1)
            :: else
            fi
        }
        if
        :: granted -> skip
        :: granted -> goto again                                       /* the answer is lost, or it died */
        :: !granted -> goto again
        fi;
        atomic {
            if
            :: asked[me] > 0 ->
                tree[me] = true; deadline[me] = asked[me]; slow[me] = DRIFT; alive++;
                assert(alive <= 1)
            :: else -> goto again
            fi
        }
        do
        :: atomic { tree[me] -> asked[me] = LEASE - MARGIN }           /* a renewal is sent */
            granted = false;
            atomic {
                if
                :: status == RUNNING && owner == me + 1 && token == mine && left > 0 ->
                    left = LEASE; granted = true
                :: else
                fi
            }
            atomic {
                if
                :: granted && tree[me] && asked[me] > 0 -> deadline[me] = asked[me]; slow[me] = DRIFT
                :: true                                                /* the answer is lost */
                :: !granted && tree[me] -> kill(me)
                fi
            }
        :: atomic { tree[me] -> kill(me) }                             /* the command ends, or its supervisor dies */
            if
            :: true                                                    /* and nothing is reported */
            :: atomic { status == RUNNING && owner == me + 1 && token == mine -> status = NONE; owner = 0 }
            :: else
            fi;
            break
        :: atomic { !tree[me] -> break }
        od;
again:
        skip
    od
}

/* The keeper: what it has to do at its deadline, no pause of its supervisor delays. */
active [WORKERS] proctype keeper() {
    byte me = _pid - 2 - WORKERS;
end:
    do
    :: atomic { tree[me] && deadline[me] == 0 -> kill(me) }
    od
}
