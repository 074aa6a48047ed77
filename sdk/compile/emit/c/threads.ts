import type { Step } from '../../../wire/program.ts';

/** Steps of less work than this are not split: to meet another thread takes about a microsecond. */
const LEAST_MACS = 100_000;
const LEAST_BYTES = 64 * 1024;

/** Whether one thread does all of a step. */
const isSmall = ({ macs, bytes }: Step): boolean => macs < LEAST_MACS && bytes < LEAST_BYTES;

/**
 * C text of a team of POSIX threads that run the parts of steps. Every thread takes the part with its own number, since that has its data
 * in its caches, and then those that nobody has taken: a thread that the system does not run holds up nobody, unless it is in the middle
 * of a part. Counters only grow. Whoever has nothing to do polls for as long as a step takes, then sleeps.
 */
export function threads(steps: readonly Step[], scratchBytes: number): string {
  return `#include <pthread.h>
#include <time.h>
/* nanoseconds */
#define EW_POLL 30000
#if defined(__x86_64__)
#define EW_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define EW_RELAX() __asm__ volatile("yield")
#else
#define EW_RELAX()
#endif
typedef void (*ew_step)(const u8 *, u8 *, u8 *, i32, i32);
static const ew_step ew_steps[] = {${steps.map((_, i) => `ew_step_${i}`).join(', ')}};
static const u8 ew_small[] = {${steps.map((s) => (isSmall(s) ? 1 : 0)).join(', ')}};
typedef struct ew_team ew_team;
/* taken: how many steps have had their part of this number taken */
typedef struct { ew_team *team; i32 part; pthread_t thread; u64 taken; u8 apart[64]; } ew_member;
/* issued: steps asked for, of which those after the first \`base\` are the present run, from step \`from\` on; arrived: parts that have ended */
struct ew_team {
  const u8 *weights; u8 *arena, *scratch; i32 parts, from, closing; u64 base, issued; u8 apart[64]; u64 arrived; u32 sleepers;
  pthread_mutex_t lock; pthread_cond_t wake; ew_member members[];
};
static i64 ew_now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (i64)t.tv_sec * 1000000000 + t.tv_nsec; }
/* until the counter has reached the target */
static void ew_await(ew_team *t, u64 *counter, u64 target) {
#define EW_REACHED() (__atomic_load_n(counter, __ATOMIC_SEQ_CST) >= target)
  for (i64 begin = 0;;) {
    for (i32 s = 0; s < 64; s++) { if (EW_REACHED()) return; EW_RELAX(); }
    const i64 now = ew_now();
    if (!begin) begin = now; else if (now - begin > EW_POLL) break;
  }
  pthread_mutex_lock(&t->lock);
  __atomic_add_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
  while (!EW_REACHED()) pthread_cond_wait(&t->wake, &t->lock);
  __atomic_sub_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&t->lock);
}
static void ew_advance(ew_team *t, u64 *counter, u64 by) {
  __atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&t->sleepers, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&t->lock); pthread_cond_broadcast(&t->wake); pthread_mutex_unlock(&t->lock);
  }
}
static i32 ew_take(ew_team *t, i32 part, u64 step) {
  u64 *taken = &t->members[part].taken, expected = step;
  return __atomic_load_n(taken, __ATOMIC_SEQ_CST) == step && __atomic_compare_exchange_n(taken, &expected, step + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/* takes parts until so many steps have ended; the run does not change while a part that was taken has not arrived */
static void ew_help(ew_team *t, i32 self, u64 steps) {
  const u64 parts = (u64)t->parts; u8 *const scratch = t->scratch + (u64)self * ${scratchBytes}u;
  for (u64 step; (step = __atomic_load_n(&t->arrived, __ATOMIC_SEQ_CST) / parts) < steps;) {
    i32 took = 0;
    for (i32 k = 0; k < t->parts; k++) {
      const i32 part = self + k < t->parts ? self + k : self + k - t->parts;
      if (!ew_take(t, part, step)) continue;
      const i32 i = t->from + (i32)(step - t->base);
      if (!ew_small[i]) ew_steps[i](t->weights, t->arena, scratch, part, t->parts);
      else if (part == 0) ew_steps[i](t->weights, t->arena, scratch, 0, 1);
      ew_advance(t, &t->arrived, 1);
      took = 1;
    }
    if (!took) ew_await(t, &t->arrived, (step + 1) * parts);
  }
}
static void *ew_work(void *p) {
  const ew_member *m = p; ew_team *t = m->team;
  for (u64 steps = 0;;) {
    ew_await(t, &t->issued, steps + 1);
    if (t->closing) return 0;
    steps = __atomic_load_n(&t->issued, __ATOMIC_SEQ_CST);
    ew_help(t, m->part, steps);
  }
}
EW_EXPORT void ew_close(ew_team *t) {
  if (t->parts > 1) {
    t->closing = 1;
    ew_advance(t, &t->issued, 1);
    for (i32 i = 1; i < t->parts; i++) pthread_join(t->members[i].thread, 0);
  }
  pthread_cond_destroy(&t->wake); pthread_mutex_destroy(&t->lock);
  free(t);
}
/* weights, arena and scratch of all parts, all from ew_map; 0 when a thread cannot be started */
EW_EXPORT ew_team *ew_open(const u8 *weights, u8 *arena, u8 *scratch, i32 parts) {
  ew_team *t = calloc(1, sizeof(ew_team) + (u64)parts * sizeof(ew_member));
  if (!t) return 0;
  t->weights = weights; t->arena = arena; t->scratch = scratch; t->parts = 1;
  pthread_mutex_init(&t->lock, 0); pthread_cond_init(&t->wake, 0);
  for (i32 i = 1; i < parts; i++) {
    ew_member *m = &t->members[i];
    m->team = t; m->part = i;
    if (pthread_create(&m->thread, 0, ew_work, m)) { ew_close(t); return 0; }
    t->parts = i + 1;
  }
  return t;
}
/* steps [from, to), all parts of each before the next */
EW_EXPORT void ew_run(ew_team *t, i32 from, i32 to) {
  if (t->parts == 1) { for (i32 i = from; i < to; i++) ew_steps[i](t->weights, t->arena, t->scratch, 0, 1); return; }
  if (from >= to) return;
  t->from = from; t->base = t->issued;
  ew_advance(t, &t->issued, (u64)(to - from));
  ew_help(t, 0, t->issued);
}
`;
}
