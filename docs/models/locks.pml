/*
  The locks of docs/decisions/0015-locks.md as a small model: leases, offers, places in the queue, processes that die or
  stand still, a store that loses the tail of what it confirmed, and a thing that is written to.

  Each is an assertion below, proved by `spin -a` and an exhaustive `pan -DSAFETY` for three agents, one resource and three
  grants (four where agents die; two agents where the tail may be lost), with any interleaving of the steps below:
    one_holder   two agents are never both entitled by the store to the resource at one instant
    fenced       no write is taken that is older than one taken before, although a holder that stood still goes on
                 after its lease is over, and although the store forgot its last grants
    tokens       a token is never given twice, although the store forgot its last grants
    handed_on    while somebody waits whose turn has not passed, somebody is entitled: whatever ended was handed on

  `one_holder` and `handed_on` are looked at between any two steps, whichever step it was: see Always. That those who are
  entitled do go on, and thus that everybody gets a turn, is not proved here.

  Left out: who is dead is passed over at once by the scripts; here it is offered to like anybody, and nobody takes it.

  Assumed: scripts run whole or not at all (a Redis script does); the clock of a store that took over is past every token
  that was given (clocks differ by less than the failover takes); whatever is written keeps the highest token it has seen.

  -DTAIL      the store may lose what it did last, once
  -DCOUNTER   tokens by a counter instead of by the clock: breaks `fenced` and `tokens` where the tail may be lost
  -DNOFENCE   the thing that is written takes any token: breaks `fenced`
  -DNOCHECK   a grant does not look for who holds: breaks `one_holder`
  -DFORGETS=n nothing is handed on when this ends: 1 a lease that is given back, 2 a lease that ran out, 3 an offer that
              nobody took, 4 the run of a dead process (with -DMORTAL): each breaks `handed_on`
  -DMORTAL    any agent may die at any moment, or several
*/
#ifndef N
#define N 3
#endif
#define NONE 255
#ifndef GRANTS
#define GRANTS 3
#endif
#ifndef FORGETS
#define FORGETS 0
#endif

mtype = { idle, waiting, skipped, offered, held };

mtype state[N] = idle;      /* what the store has of each agent */
byte place[N];              /* arrival: the smaller comes first */
byte token[N];              /* the token of its lease, in the store */
byte arrivals = 0;
byte last = 0;              /* the last token, in the store */
byte clock = 0;             /* grows with every grant; what a store that lost its tail still has */
byte grants = 0;            /* the true order of grants, known to nobody */
bool dead[N] = false;

byte mine[N];               /* the token an agent was told */
byte order[N];              /* which grant that was, in truth */
bool works[N] = false;      /* it acts on what it was told, and may have stood still since */

byte seen = 0;              /* highest token that the written thing has seen */
byte written = 0;           /* the latest grant of which a write was taken */
bool given[8] = false;

#ifdef TAIL
byte savedHolder = NONE, savedToken = 0, savedLast = 0; bool lost = false;
#endif

inline entitled(k) {
  k = 0;
  for (i : 0 .. N - 1) { if :: state[i] == held || state[i] == offered -> k++ :: else fi }
}

/* Gives the resource to agent `a`: a lease with a token above all before it. */
inline grant(a) {
  grants++; clock++;
#ifdef COUNTER
  last++;
#else
  if :: last + 1 > clock -> last++ :: else -> last = clock fi;
#endif
  assert(!given[last]); /* tokens */
  given[last] = true;
  state[a] = held; token[a] = last;
  mine[a] = last; order[a] = grants; works[a] = true
}

/* Offers what has become free to the first that waits and was not passed over. */
inline handOn(after) {
  entitled(n);
  if
  :: n == 0 && after != FORGETS ->
    f = NONE;
    for (i : 0 .. N - 1) {
      if
      :: state[i] == waiting && (f == NONE || place[i] < place[f]) -> f = i
      :: else
      fi
    }
    if :: f != NONE -> state[f] = offered :: else fi
  :: else
  fi;
  n = 0; f = 0; i = 0
}

/* Whether somebody stands in the way of agent `a`: a holder, an offer, or an earlier place. */
inline blocked(a, b) {
  b = false;
  for (i : 0 .. N - 1) {
    if
    :: i != a && (state[i] == held || state[i] == offered) -> b = true
    :: i != a && state[i] == waiting && (state[a] == idle || place[i] < place[a]) -> b = true
    :: else
    fi
  }
#ifdef NOCHECK
  b = false
#endif
}

proctype Agent(byte me) {
  byte i = 0, n = 0, f = 0; bool b = false;
end:
  do
  :: atomic { /* acquire_lock */
      !works[me] && grants < GRANTS && (state[me] == idle || state[me] == offered || state[me] == skipped) ->
      if
      :: state[me] == offered -> grant(me)
      :: else ->
        if :: state[me] == idle -> arrivals++; place[me] = arrivals :: else -> state[me] = waiting fi;
        blocked(me, b);
        if :: b -> state[me] = waiting :: else -> grant(me) fi
      fi;
      b = false; i = 0
    }
  :: atomic { /* a write under the lease, or what it takes for one */
      works[me] ->
#ifndef NOFENCE
      if
      :: mine[me] >= seen -> seen = mine[me];
#endif
        assert(order[me] >= written); /* fenced */
        written = order[me]
#ifndef NOFENCE
      :: else
      fi
#endif
    }
  :: atomic { /* release_lock: ends what it still has, and nobody else's */
      works[me] ->
      if :: state[me] == held && token[me] == mine[me] -> state[me] = idle; handOn(1) :: else fi;
      works[me] = false; mine[me] = 0; order[me] = 0
    }
#ifdef MORTAL
  :: atomic { dead[me] = true; works[me] = false; mine[me] = 0; order[me] = 0; break }
#endif
  od
}

/* Time, and what it ends: the lease, the offer, the run of an agent that is gone. */
proctype Time(byte a) {
  byte i = 0, n = 0, f = 0;
end:
  do
  :: atomic { /* a lease runs out, whatever its holder thinks */
      state[a] == held && grants < GRANTS -> state[a] = idle; handOn(2)
    }
  :: atomic { /* an offer that nobody took: the place stays, the turn is over */
      state[a] == offered && grants < GRANTS -> state[a] = skipped; handOn(3)
    }
  :: atomic { /* the run of a dead process is ended */
      dead[a] && state[a] != idle -> state[a] = idle; handOn(4)
    }
  od
}

#ifdef TAIL
/* A replica, or a disk: at some moment it has what there is, and later it takes over and knows no more. */
proctype Failover() {
  byte i = 0;
  atomic {
    savedLast = last;
    for (i : 0 .. N - 1) { if :: state[i] == held -> savedHolder = i; savedToken = token[i] :: else fi };
    i = 0
  }
  atomic {
    last = savedLast;
    for (i : 0 .. N - 1) {
      if :: i == savedHolder -> state[i] = held; token[i] = savedToken :: else -> state[i] = idle fi
    };
    i = 0
  }
}
#endif

/* What holds between any two steps of the others, of whatever kind. It changes nothing. */
proctype Always() {
  byte i = 0, n = 0;
end:
  do
  :: d_step {
      entitled(n);
      assert(n <= 1); /* one_holder */
      for (i : 0 .. N - 1) { assert(n > 0 || state[i] != waiting) } /* handed_on */
      n = 0; i = 0
    }
  od
}

init {
  byte k = 0;
  atomic {
    run Always();
#ifdef TAIL
    run Failover();
#endif
    for (k : 0 .. N - 1) { run Agent(k); run Time(k) }
  }
}
