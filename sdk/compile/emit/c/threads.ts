import type { Step } from '../../../wire/program.ts';

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
 * in its caches, and then those that nobody has taken: a thread that the system does not run holds up nobody, unless it is in the middle
 * of a part. Counters only grow. Whoever has nothing to do polls for as long as a step takes, then sleeps; where threads have no
 * processor each, at once. To wake a thread takes the caller longer than a small network, so that those that sleep are left asleep for one
 * that is not run again and again.
 */
export function threads(steps: readonly Step[], scratchBytes: number): string {
  return `#include <pthread.h>
#include <time.h>
/* nanoseconds: of polling; of work at least that threads are woken for; between runs at most for them to be woken anyway */
#define EW_POLL 50000
#define EW_WORTH 40000
#define EW_SOON 100000
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
static const u8 ew_small[] = {${steps.map((s) => (isSmall(s) ? 1 : 0)).join(', ')}};
static const i32 ew_ns[] = {${steps.map(nanoseconds).join(', ')}};
#define EW_STEPS ${steps.length}
/* the step after the last copies bytes */
#define EW_COPY EW_STEPS
typedef struct ew_team ew_team;
/* taken: how many steps have had their part of this number taken */
typedef struct { ew_team *team; i32 part; pthread_t thread; u64 taken; u8 apart[64]; } ew_member;
typedef struct { u64 count; u32 sleepers; pthread_cond_t wake; u8 apart[64]; } ew_counter;
/* issued: steps asked for, of which those after the first \`base\` are the present run, from step \`from\` on, asked for by a thread on
   processor \`cpu\`; arrived: parts that have ended; ended: when the last run did, ns; cpus: those that threads may run on at first, none where that is not known; split: whether small steps are split too */
struct ew_team {
  const u8 *weights; u8 *arena, *scratch, *to; const u8 *of; u64 bytes; i32 parts, from, closing, cpu, split; i64 poll, ended; u64 base, cpus[16];
  u8 apart[64]; ew_counter issued, arrived; pthread_mutex_t lock; ew_member members[];
};
static i64 ew_now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (i64)t.tv_sec * 1000000000 + t.tv_nsec; }
/* until the counter has reached the target */
static void ew_await(ew_team *t, ew_counter *c, u64 target) {
#define EW_REACHED() (__atomic_load_n(&c->count, __ATOMIC_SEQ_CST) >= target)
  for (i64 begin = 0; t->poll;) {
    for (i32 s = 0; s < 64; s++) { if (EW_REACHED()) return; EW_RELAX(); }
    const i64 now = ew_now();
    if (!begin) begin = now; else if (now - begin > t->poll) break;
  }
  pthread_mutex_lock(&t->lock);
  __atomic_add_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
  while (!EW_REACHED()) pthread_cond_wait(&c->wake, &t->lock);
  __atomic_sub_fetch(&c->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&t->lock);
}
static void ew_wake(ew_team *t, ew_counter *c) {
  if (!__atomic_load_n(&c->sleepers, __ATOMIC_SEQ_CST)) return;
  pthread_mutex_lock(&t->lock); pthread_cond_broadcast(&c->wake); pthread_mutex_unlock(&t->lock);
}
/* Where processors are virtual, systems take idle ones for busy ones and wake a thread on the one of the thread that wakes it: who finds itself there goes to another that the process still has. This thread has left some by itself, so what the process's first thread may run on counts too. */
static void ew_leave(const ew_team *t, i32 cpu) {
  u64 own[16], first[16], others[16], any = 0;
  if (cpu < 0 || cpu >= 1024 || sched_getaffinity(0, sizeof own, own) || sched_getaffinity(getpid(), sizeof first, first)) return;
  for (i32 i = 0; i < 16; i++) { others[i] = t->cpus[i] & (own[i] | first[i]) & ~(i == cpu / 64 ? (u64)1 << cpu % 64 : 0); any |= others[i]; }
  if (any) sched_setaffinity(0, sizeof others, others);
}
static i32 ew_take(ew_team *t, i32 part, u64 step) {
  u64 *taken = &t->members[part].taken, expected = step;
  return __atomic_load_n(taken, __ATOMIC_SEQ_CST) == step && __atomic_compare_exchange_n(taken, &expected, step + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static void ew_part(ew_team *t, i32 step, u8 *scratch, i32 part) {
  if (step == EW_COPY) {
    const u64 pages = (t->bytes + 4095) / 4096, at = pages * (u64)part / (u64)t->parts * 4096, next = pages * (u64)(part + 1) / (u64)t->parts * 4096, end = next < t->bytes ? next : t->bytes;
    __builtin_memmove(t->to + at, t->of + at, end - at);
  }
  else if (!ew_small[step] || t->split) ew_steps[step](t->weights, t->arena, scratch, part, t->parts);
  else if (part == 0) ew_steps[step](t->weights, t->arena, scratch, 0, 1);
}
/* takes parts until so many steps have ended; the run does not change while a part that was taken has not arrived */
static void ew_help(ew_team *t, i32 self, u64 steps) {
  const u64 parts = (u64)t->parts; u8 *const scratch = t->scratch + (u64)self * ${scratchBytes}u;
  for (u64 step; (step = __atomic_load_n(&t->arrived.count, __ATOMIC_SEQ_CST) / parts) < steps;) {
    i32 took = 0;
    for (i32 k = 0; k < t->parts; k++) {
      const i32 part = self + k < t->parts ? self + k : self + k - t->parts;
      if (!ew_take(t, part, step)) continue;
      ew_part(t, t->from + (i32)(step - t->base), scratch, part);
      if (__atomic_add_fetch(&t->arrived.count, 1, __ATOMIC_SEQ_CST) == (step + 1) * parts) ew_wake(t, &t->arrived);
      took = 1;
    }
    if (!took) ew_await(t, &t->arrived, (step + 1) * parts);
  }
}
static void *ew_work(void *p) {
  const ew_member *m = p; ew_team *t = m->team;
  for (u64 steps = 0;;) {
    ew_await(t, &t->issued, steps + 1);
    /* in this order: closing counts as a step that must not be run */
    steps = __atomic_load_n(&t->issued.count, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->closing, __ATOMIC_SEQ_CST)) return 0;
    const i32 cpu = sched_getcpu();
    if (cpu == __atomic_load_n(&t->cpu, __ATOMIC_SEQ_CST)) ew_leave(t, cpu);
    ew_help(t, m->part, steps);
  }
}
/* steps [from, to) on all threads that are awake, and those that sleep where there is so much to do or it is soon after the last run */
static void ew_issue(ew_team *t, i32 from, i32 to, i64 ns) {
  t->from = from; t->base = t->issued.count;
  __atomic_store_n(&t->cpu, sched_getcpu(), __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&t->issued.count, (u64)(to - from), __ATOMIC_SEQ_CST);
  if (ns > EW_WORTH || ew_now() - t->ended < EW_SOON) ew_wake(t, &t->issued);
  ew_help(t, 0, t->issued.count);
  t->ended = ew_now();
}
EW_EXPORT void ew_close(ew_team *t) {
  if (t->parts > 1) {
    __atomic_store_n(&t->closing, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&t->issued.count, 1, __ATOMIC_SEQ_CST);
    ew_wake(t, &t->issued);
    for (i32 i = 1; i < t->parts; i++) pthread_join(t->members[i].thread, 0);
  }
  pthread_cond_destroy(&t->issued.wake); pthread_cond_destroy(&t->arrived.wake); pthread_mutex_destroy(&t->lock);
  free(t);
}
/* weights, arena and scratch of all parts, all from ew_map; 0 when a thread cannot be started */
EW_EXPORT ew_team *ew_open(const u8 *weights, u8 *arena, u8 *scratch, i32 parts) {
  ew_team *t = calloc(1, sizeof(ew_team) + (u64)parts * sizeof(ew_member));
  if (!t) return 0;
  t->weights = weights; t->arena = arena; t->scratch = scratch; t->parts = 1;
  pthread_mutex_init(&t->lock, 0); pthread_cond_init(&t->issued.wake, 0); pthread_cond_init(&t->arrived.wake, 0);
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
/* steps [from, to), all parts of each before the next */
EW_EXPORT void ew_run(ew_team *t, i32 from, i32 to) {
  if (t->parts == 1) { for (i32 i = from; i < to; i++) ew_steps[i](t->weights, t->arena, t->scratch, 0, 1); return; }
  if (from >= to) return;
  i64 ns = 0;
  for (i32 i = from; i < to && ns <= EW_WORTH; i++) ns += ew_ns[i];
  ew_issue(t, from, to, ns);
}
/* what is copied before a run or after it, by all threads; such as sleep are woken where the run is worth it */
EW_EXPORT void ew_bring(ew_team *t, u8 *to, const u8 *from, u64 bytes) {
  i64 ns = 0;
  for (i32 i = 0; i < EW_STEPS && ns <= EW_WORTH; i++) ns += ew_ns[i];
  t->to = to; t->of = from; t->bytes = bytes;
  if (t->parts == 1) ew_part(t, EW_COPY, t->scratch, 0); else ew_issue(t, EW_COPY, EW_COPY + 1, ns);
}
`;
}
