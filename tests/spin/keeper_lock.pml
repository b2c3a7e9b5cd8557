/*
 * A keeper serves several runs, one after the other. Supervisor, keeper and the keeper's parent hold the lock of each run.
 * The supervisor and the keeper may die at any step; the processes of a run survive them, and the parent kills them.
 *
 * The lock of the first run comes to the parent with the request for the keeper. The lock of each later run is sent to it
 * before the keeper gets the run's files; it counts as held while it is under way. The parent then closes the last one.
 *
 * Checked: while a process of a run lives, its lock is held. Remove a safeguard with -DNO_REQUEST, -DFILES_FIRST,
 * -DLEFT_PROCESSES or -DCLOSE_FIRST, and the assertion fails. Limit: the parent lives; without it, what a dead keeper
 * leaves is found by its mark.
 */

#define RUNS 3
#define ALL(r, action) r = 0; do :: r < RUNS -> action; r++ :: else -> break od

bool by_supervisor[RUNS];
bool by_keeper[RUNS];
bool under_way[RUNS];       /* to the parent */
bool by_parent[RUNS];
bool go[RUNS];
bool ended[RUNS];           /* reported by the keeper */
bool tree[RUNS];            /* a process of the run lives */
bool supervisor = true;
bool keeper = true;
bool buried = false;        /* the parent has killed and closed what was the keeper's */

#define held(r) (by_supervisor[r] || by_keeper[r] || under_way[r] || by_parent[r])
#define is_safe(r) (!tree[r] || held(r))

inline send_lock(r) {
    if
    :: r == 0 -> by_parent[0] = true
#ifndef NO_REQUEST
    :: r > 0 -> under_way[r] = true
#endif
    :: else
    fi
}

active proctype supervisors() {
    byte number = 0;
end:
    do
    :: atomic { supervisor && number < RUNS -> by_supervisor[number] = true };
#ifndef FILES_FIRST
end_lock:
        atomic { supervisor -> send_lock(number) };
#endif
end_files:
        atomic { supervisor && keeper -> by_keeper[number] = true; go[number] = true };
#ifdef FILES_FIRST
end_late:
        atomic { supervisor -> send_lock(number) };
#endif
end_run:
        atomic { supervisor && ended[number] -> by_supervisor[number] = false; number++ }
    od
}

active proctype keeping() {
    byte number = 0, each;
end:
    do
    :: atomic { keeper && number < RUNS && go[number] -> tree[number] = true };
        if
        :: atomic { keeper && supervisor -> tree[number] = false }
#ifdef LEFT_PROCESSES
        :: atomic { keeper && supervisor -> skip }              /* the tree lives on */
#endif
        :: atomic { keeper && !supervisor -> tree[number] = false; keeper = false; ALL(each, by_keeper[each] = false) }
        :: !keeper
        fi;
        atomic { if :: keeper -> by_keeper[number] = false; ended[number] = true; number++ :: else fi }
    od
}

active proctype parent() {
    byte last = 0, next = 1, each;
end:
    do
    :: atomic { !keeper && !buried ->
#ifdef CLOSE_FIRST
            ALL(each, by_parent[each] = false)
#else
            ALL(each, tree[each] = false)
#endif
        };
        atomic {
#ifdef CLOSE_FIRST
            ALL(each, tree[each] = false);
#else
            ALL(each, by_parent[each] = false);
#endif
            buried = true
        }
    :: atomic { next < RUNS && under_way[next] ->
            if
            :: !buried -> by_parent[next] = true; by_parent[last] = false; last = next
            :: else                                             /* no such keeper: the lock is closed */
            fi;
            under_way[next] = false;
            next++
        }
    od
}

active proctype death_of_the_supervisor() {
    byte each;
end:
    atomic { supervisor = false; ALL(each, by_supervisor[each] = false) }
}

active proctype death_of_the_keeper() {
    byte each;
end:
    atomic { keeper = false; ALL(each, by_keeper[each] = false) }
}

active proctype witness() {
end:
    atomic { !(is_safe(0) && is_safe(1) && is_safe(2)) -> assert(false) }
}
