import { type Program, SCRATCH_APART, type Step } from '../../../wire/program.ts';
import type { Direct } from './direct.ts';

/** Steps of less work than this are not split: to meet another thread takes about half a microsecond. */
const LEAST_MACS = 100_000;
const LEAST_BYTES = 64 * 1024;

/** Whether one thread does all of a step. */
const isSmall = ({ macs, bytes }: Step): boolean => macs < LEAST_MACS && bytes < LEAST_BYTES;

/** What fast kernels do in a nanosecond. Boards take longer, which makes it the more worth to wake a thread. */
const MACS_A_NS = 200;
const BYTES_A_NS = 20;

/** About how long one thread takes for a step at least. */
const nanoseconds = ({ macs, bytes }: Step): number => Math.round(macs / MACS_A_NS + bytes / BYTES_A_NS);

/**
 * C text of a team of POSIX threads that run the parts of steps. Every thread takes the part with its own number, since that has its data
 * in its caches, and then, unless all others are about to end, those that nobody has taken: a thread that the system does not run holds up
 * nobody, unless it is in the middle of a part. What a thread writes as it goes is in a line of memory of its own, which the others read
 * only when they wait for it: a line takes as long from one processor's cache to another's as some ten thousand multiply-accumulates.
 * Counters only grow. Whoever has nothing to do polls for as long as a step takes, then sleeps; where threads have no
 * processor each, at once. To wake a thread takes the caller longer than a small network, so that those that sleep are left asleep for one
 * that is not run again and again.
 */
export function threads(program: Pick<Program, 'steps' | 'scratchBytes'>, direct: Direct): string {
  const { steps, scratchBytes } = program;
  return `#include <pthread.h>
#include <time.h>
/* nanoseconds: of polling; of work at least that threads are woken for; between runs at most for them to be woken anyway */
#define EW_POLL 50000
#define EW_WORTH 40000
#define EW_SOON 100000
/* reads before the clock is looked at, and such rounds before parts of others are taken that should have been */
#define EW_READS 64
#define EW_PATIENCE 2
#if defined(__x86_64__)
#define EW_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define EW_RELAX() __asm__ volatile("yield")
#else
#define EW_RELAX()
#endif
/* of sched.h, which declares them for its own dialect of C only */
int sched_getcpu(void);
int sched_getaffinity(int, unsigned long, void *);
int sched_setaffinity(int, unsigned long, const void *);
typedef void (*ew_step)(const u8 *, u8 *, u8 *, i32, i32);
static const ew_step ew_steps[] = {${steps.map((_, i) => `ew_step_${i}`).join(', ')}};
${direct.text}typedef void (*ew_direct)(const u8 *, u8 *, u8 *, i32, i32, void *const *);
static const ew_direct ew_directs[] = {${steps.map((_, i) => (direct.steps.has(i) ? `ew_direct_${i}` : '0')).join(', ')}};
static const u8 ew_small[] = {${steps.map((s) => (isSmall(s) ? 1 : 0)).join(', ')}};
static const i32 ew_ns[] = {${steps.map(nanoseconds).join(', ')}};
#define EW_STEPS ${steps.length}
/* the step after the last copies bytes */
#define EW_COPY EW_STEPS
typedef struct ew_team ew_team;
/* taken: how many steps have had their part of this number taken; ended: of how many that part has ended */
typedef struct { ew_team *team; i32 part; pthread_t thread; u8 a[64]; u64 taken; u8 b[64]; u64 ended; u8 c[64]; } ew_member;
/* threads that sleep until something is reached */
typedef struct { u32 count; pthread_cond_t wake; u8 apart[64]; } ew_sleepers;
/* What is asked for. issued: so many steps, of which those after the first \`base\` are the present run, from step \`from\` on, asked for by a
   thread on processor \`cpu\`; direct: what \`io\` has is where the network's ends are; to, of, bytes: of a copy. */
typedef struct { u64 issued, base; i32 from, closing, cpu, direct; void *io[2]; u8 *to; const u8 *of; u64 bytes; u8 apart[64]; } ew_order;
/* last: when the last run ended, ns; cpus: those that threads may run on at first, none where that is not known; split: whether small steps are split too */
struct ew_team {
  const u8 *weights; u8 *arena, *scratch; i32 parts, split; i64 poll; u64 cpus[16];
  u8 apart[64]; ew_order order; ew_sleepers idle, waiting; i64 last; pthread_mutex_t lock; ew_member members[];
};
static i64 ew_now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (i64)t.tv_sec * 1000000000 + t.tv_nsec; }
/* how many steps have ended in all their parts */
static u64 ew_ended(ew_team *t) {
  u64 least = ~(u64)0;
  for (i32 i = 0; i < t->parts; i++) { const u64 n = __atomic_load_n(&t->members[i].ended, __ATOMIC_SEQ_CST); if (n < least) least = n; }
  return least;
}
static i32 ew_reached(ew_team *t, const ew_sleepers *s, u64 target) {
  return (s == &t->idle ? __atomic_load_n(&t->order.issued, __ATOMIC_SEQ_CST) : ew_ended(t)) >= target;
}
static i32 ew_polled(ew_team *t, const ew_sleepers *s, u64 target) {
  for (i32 k = 0; k < EW_READS; k++) { if (ew_reached(t, s, target)) return 1; EW_RELAX(); }
  return 0;
}
/* until so many steps have been issued, or have ended */
static void ew_await(ew_team *t, ew_sleepers *s, u64 target) {
  for (i64 begin = 0; t->poll;) {
    if (ew_polled(t, s, target)) return;
    const i64 now = ew_now();
    if (!begin) begin = now; else if (now - begin > t->poll) break;
  }
  pthread_mutex_lock(&t->lock);
  __atomic_add_fetch(&s->count, 1, __ATOMIC_SEQ_CST);
  while (!ew_reached(t, s, target)) pthread_cond_wait(&s->wake, &t->lock);
  __atomic_sub_fetch(&s->count, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&t->lock);
}
static void ew_wake(ew_team *t, ew_sleepers *s) {
  if (!__atomic_load_n(&s->count, __ATOMIC_SEQ_CST)) return;
  pthread_mutex_lock(&t->lock); pthread_cond_broadcast(&s->wake); pthread_mutex_unlock(&t->lock);
}
/* Where processors are virtual, systems take idle ones for busy ones and wake a thread on the one of the thread that wakes it: who finds itself there goes to another that the process still has. This thread has left some by itself, so what the process's first thread may run on counts too. */
static void ew_leave(const ew_team *t, i32 cpu) {
  u64 own[16], first[16], others[16], any = 0;
  if (cpu < 0 || cpu >= 1024 || sched_getaffinity(0, sizeof own, own) || sched_getaffinity(getpid(), sizeof first, first)) return;
  for (i32 i = 0; i < 16; i++) { others[i] = t->cpus[i] & (own[i] | first[i]) & ~(i == cpu / 64 ? (u64)1 << cpu % 64 : 0); any |= others[i]; }
  if (any) sched_setaffinity(0, sizeof others, others);
}
static void ew_call(ew_team *t, i32 step, u8 *scratch, i32 part, i32 parts) {
  if (t->order.direct && ew_directs[step]) ew_directs[step](t->weights, t->arena, scratch, part, parts, t->order.io);
  else ew_steps[step](t->weights, t->arena, scratch, part, parts);
}
static void ew_part(ew_team *t, i32 step, u8 *scratch, i32 part) {
  if (step == EW_COPY) {
    const ew_order *o = &t->order;
    const u64 pages = (o->bytes + 4095) / 4096, at = pages * (u64)part / (u64)t->parts * 4096, next = pages * (u64)(part + 1) / (u64)t->parts * 4096, end = next < o->bytes ? next : o->bytes;
    __builtin_memmove(o->to + at, o->of + at, end - at);
  }
  else if (!ew_small[step] || t->split) ew_call(t, step, scratch, part, t->parts);
  else if (part == 0) ew_call(t, step, scratch, 0, 1);
}
/* runs a part of a step of the present run if nobody has taken it; the run does not change before it has ended */
static i32 ew_take(ew_team *t, i32 part, u64 step, u8 *scratch) {
  u64 *taken = &t->members[part].taken, expected = step;
  if (__atomic_load_n(taken, __ATOMIC_SEQ_CST) != step || !__atomic_compare_exchange_n(taken, &expected, step + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return 0;
  ew_part(t, t->order.from + (i32)(step - t->order.base), scratch, part);
  __atomic_store_n(&t->members[part].ended, step + 1, __ATOMIC_SEQ_CST);
  ew_wake(t, &t->waiting);
  return 1;
}
/* takes parts until so many steps have ended; who was late once in a run is not waited for again, nor who sleeps */
static void ew_help(ew_team *t, i32 self, u64 steps) {
  u8 *const scratch = t->scratch + (u64)self * ${scratchBytes + SCRATCH_APART}u;
  i32 patience = t->poll ? EW_PATIENCE : 0;
  for (u64 step; (step = ew_ended(t)) < steps;) {
    ew_take(t, self, step, scratch);
    i32 ended = 0;
    for (i32 k = 0; k < patience && !ended && !__atomic_load_n(&t->idle.count, __ATOMIC_SEQ_CST); k++) ended = ew_polled(t, &t->waiting, step + 1);
    if (ended) continue;
    for (i32 k = 1; k < t->parts; k++) if (ew_take(t, (self + k) % t->parts, step, scratch)) patience = 0;
    ew_await(t, &t->waiting, step + 1);
  }
}
static void *ew_work(void *p) {
  const ew_member *m = p; ew_team *t = m->team;
  for (u64 steps = 0;;) {
    ew_await(t, &t->idle, steps + 1);
    /* in this order: closing counts as a step that must not be run */
    steps = __atomic_load_n(&t->order.issued, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->order.closing, __ATOMIC_SEQ_CST)) return 0;
    const i32 cpu = sched_getcpu();
    if (cpu == __atomic_load_n(&t->order.cpu, __ATOMIC_SEQ_CST)) ew_leave(t, cpu);
    ew_help(t, m->part, steps);
  }
}
/* steps [from, to) on all threads that are awake, and those that sleep where there is so much to do or it is soon after the last run */
static void ew_issue(ew_team *t, i32 from, i32 to, i64 ns) {
  ew_order *o = &t->order;
  o->from = from; o->base = o->issued;
  __atomic_store_n(&o->cpu, sched_getcpu(), __ATOMIC_RELAXED);
  __atomic_store_n(&o->issued, o->base + (u64)(to - from), __ATOMIC_SEQ_CST);
  if (ns > EW_WORTH || ew_now() - t->last < EW_SOON) ew_wake(t, &t->idle);
  ew_help(t, 0, o->issued);
  t->last = ew_now();
}
EW_EXPORT void ew_close(ew_team *t) {
  if (t->parts > 1) {
    __atomic_store_n(&t->order.closing, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&t->order.issued, 1, __ATOMIC_SEQ_CST);
    ew_wake(t, &t->idle);
    for (i32 i = 1; i < t->parts; i++) pthread_join(t->members[i].thread, 0);
  }
  pthread_cond_destroy(&t->idle.wake); pthread_cond_destroy(&t->waiting.wake); pthread_mutex_destroy(&t->lock);
  free(t);
}
/* weights, arena and scratch of all parts, all from ew_map; 0 when a thread cannot be started */
EW_EXPORT ew_team *ew_open(const u8 *weights, u8 *arena, u8 *scratch, i32 parts) {
  ew_team *t = calloc(1, sizeof(ew_team) + (u64)parts * sizeof(ew_member));
  if (!t) return 0;
  t->weights = weights; t->arena = arena; t->scratch = scratch; t->parts = 1;
  pthread_mutex_init(&t->lock, 0); pthread_cond_init(&t->idle.wake, 0); pthread_cond_init(&t->waiting.wake, 0);
  i32 cpus = 0;
  if (sched_getaffinity(0, sizeof t->cpus, t->cpus) == 0) for (i32 i = 0; i < 1024; i++) cpus += (i32)(t->cpus[i / 64] >> i % 64 & 1);
  t->poll = cpus && cpus < parts ? 0 : EW_POLL;
  for (i32 i = 1; i < parts; i++) {
    ew_member *m = &t->members[i];
    m->team = t; m->part = i;
    if (pthread_create(&m->thread, 0, ew_work, m)) { ew_close(t); return 0; }
    t->parts = i + 1;
  }
  return t;
}
/* every step is split from now on, however small: kernels are tested so */
EW_EXPORT void ew_split(ew_team *t) { t->split = 1; }
/* about how long all steps [from, to) take one thread, or longer than threads are woken for */
static i64 ew_worth(i32 from, i32 to) {
  i64 ns = 0;
  for (i32 i = from; i < to && ns <= EW_WORTH; i++) ns += ew_ns[i];
  return ns;
}
/* steps [from, to), all parts of each before the next */
EW_EXPORT void ew_run(ew_team *t, i32 from, i32 to) {
  if (t->parts == 1) for (i32 i = from; i < to; i++) ew_call(t, i, t->scratch, 0, 1);
  else if (from < to) ew_issue(t, from, to, ew_worth(from, to));
}
/* what is copied before a run or after it, by all threads; such as sleep are woken where the run is worth it */
EW_EXPORT void ew_bring(ew_team *t, u8 *to, const u8 *of, u64 bytes) {
  t->order.to = to; t->order.of = of; t->order.bytes = bytes;
  if (t->parts == 1) ew_part(t, EW_COPY, t->scratch, 0); else ew_issue(t, EW_COPY, EW_COPY + 1, ew_worth(0, EW_STEPS));
}
${direct.entry}`;
}
