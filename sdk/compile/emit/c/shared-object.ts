import type { Program } from '../../../wire/program.ts';

/**
 * What a shared object has behind its kernels: the functions that an engine calls (sdk/device/engine/native.ts). The memory of a
 * model is mapped here, threads are POSIX threads that wait at a counter that only grows: they poll for as long as a short step
 * takes, then sleep. Bumped when the functions change: an engine takes its own version only.
 */
export const SHARED_OBJECT_VERSION = 1;

export function sharedObjectEntry({ steps, scratchBytes }: Pick<Program, 'steps' | 'scratchBytes'>): string {
  return `
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#define EW_EXPORT __attribute__((visibility("default")))
#define EW_SPINS 2000
#if defined(__x86_64__)
#define EW_RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__) || defined(__arm__)
#define EW_RELAX() __asm__ volatile("yield")
#else
#define EW_RELAX()
#endif
typedef void (*ew_step)(const u8 *, u8 *, u8 *, i32, i32);
static const ew_step ew_steps[] = {${steps.map((_, i) => `ew_step_${i}`).join(', ')}};
typedef struct ew_team ew_team;
typedef struct { ew_team *team; i32 part; pthread_t thread; } ew_member;
struct ew_team {
  const u8 *weights; u8 *arena, *scratch; u64 mapped; i32 parts, from, to;
  u32 base, epoch, arrived, sleepers;
  pthread_mutex_t lock; pthread_cond_t wake; ew_member members[];
};
/* until the counter has reached the target */
static void ew_await(ew_team *t, u32 *counter, u32 target) {
#define EW_REACHED() ((i32)(__atomic_load_n(counter, __ATOMIC_SEQ_CST) - target) >= 0)
  for (i32 s = 0; s < EW_SPINS; s++) { if (EW_REACHED()) return; EW_RELAX(); }
  pthread_mutex_lock(&t->lock);
  __atomic_add_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
  while (!EW_REACHED()) pthread_cond_wait(&t->wake, &t->lock);
  __atomic_sub_fetch(&t->sleepers, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&t->lock);
}
static u32 ew_advance(ew_team *t, u32 *counter) {
  const u32 value = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&t->sleepers, __ATOMIC_SEQ_CST)) {
    pthread_mutex_lock(&t->lock); pthread_cond_broadcast(&t->wake); pthread_mutex_unlock(&t->lock);
  }
  return value;
}
static void ew_part(ew_team *t, i32 part) {
  const u32 base = t->base, parts = (u32)t->parts;
  for (i32 i = t->from, to = t->to; i < to; i++) {
    ew_steps[i](t->weights, t->arena, t->scratch + (u64)part * ${scratchBytes}u, part, t->parts);
    const u32 target = base + (u32)(i + 1 - t->from) * parts;
    if (ew_advance(t, &t->arrived) != target) ew_await(t, &t->arrived, target);
  }
}
static void *ew_work(void *p) {
  const ew_member *m = p; ew_team *t = m->team;
  for (u32 epoch = 1;; epoch++) {
    ew_await(t, &t->epoch, epoch);
    if (t->from < 0) return 0;
    ew_part(t, m->part);
  }
}
static void *ew_mapped(u64 bytes, i32 file) {
  void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  return p == MAP_FAILED ? 0 : p;
}
/* known answers that the dot product of bytes gets wrong: it must neither saturate nor take signs for others */
EW_EXPORT i32 ew_wrong(void) {
  i32 wrong = 0;
#ifdef EW_DOT7
  i8 a[16]; u8 w[16]; i32 c[4], sum[4];
  u32 x = 1;
  for (i32 n = 0; n < 512; n++) {
    for (i32 i = 0; i < 16; i++) {
      x = x * 1664525u + 1013904223u;
      a[i] = n < 8 ? (i8)(n & 1 ? 127 : -128) : (i8)(x >> 24);
      w[i] = n < 8 ? (u8)(n & 2 ? 127 : 0) : (u8)(x >> 16 & 127);
    }
    for (i32 i = 0; i < 4; i++) { c[i] = n * 1000; sum[i] = c[i]; for (i32 k = 4 * i; k < 4 * i + 4; k++) sum[i] += a[k] * w[k]; }
    i4_store(c, b16_dot7(b16_load(a), b16_load(w), i4_load(c)));
    for (i32 i = 0; i < 4; i++) wrong += c[i] != sum[i];
  }
#endif
#ifdef EW_LANES
  const i32 at = 0; u8 row[16]; i8 codes[64 * EW_LANES]; i32 start[EW_LANES], got[EW_LANES]; u32 y = 7;
  for (i32 n = 0; n < 64; n++) {
    for (i32 i = 0; i < 64 * EW_LANES; i++) {
      y = y * 1664525u + 1013904223u;
      codes[i] = n < 4 ? (i8)(n & 1 ? 127 : -128) : (i8)((i8)(y >> 24) >> (n & 3));
      if (i < 16) row[i] = n < 4 ? (u8)(n & 2 ? 255 : 0) : (u8)(y >> 16);
    }
    for (i32 c = 0; c < EW_LANES; c++) start[c] = n * c;
    ew_dot8(ew_reach(codes, EW_LANES / 8, 1, 4), row, &at, 1, codes, 1, 1, 0, 4, start, got);
    for (i32 c = 0; c < EW_LANES; c++) {
      i32 sum = start[c];
      for (i32 k = 0; k < 16; k++) sum += row[k] * codes[k / 4 * 4 * EW_LANES + 4 * c + k % 4];
      wrong += got[c] != sum;
    }
  }
#endif
  return wrong;
}
EW_EXPORT i32 ew_version(void) { return ${SHARED_OBJECT_VERSION}; }
EW_EXPORT i32 ew_step_count(void) { return ${steps.length}; }
/* bytes of working memory for each part */
EW_EXPORT i64 ew_scratch_bytes(void) { return ${scratchBytes}; }
/* private memory: of a file, whose pages processes share until they write to them, or zeros where the path is null; 0 when it fails */
EW_EXPORT void *ew_map(const char *path, u64 bytes) {
  if (!path) return ew_mapped(bytes, -1);
  const i32 file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  void *p = ew_mapped(bytes, file);
  close(file);
  return p;
}
EW_EXPORT void ew_unmap(void *p, u64 bytes) { munmap(p, bytes); }
EW_EXPORT void ew_close(ew_team *t) {
  if (t->parts > 1) {
    t->from = -1;
    ew_advance(t, &t->epoch);
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
  t->from = from; t->to = to;
  t->base = __atomic_load_n(&t->arrived, __ATOMIC_SEQ_CST);
  ew_advance(t, &t->epoch);
  ew_part(t, 0);
}
`;
}
