import { type Program, SCRATCH_APART } from '../../../wire/program.ts';
import { type Direct, directOf } from './direct.ts';
import { threads } from './threads.ts';

/**
 * What a shared object has behind its kernels: the functions that an engine calls (sdk/device/engine/native.ts). The memory of a
 * model is mapped here, threads are in emit/c/threads.ts. Bumped when the functions change, or the forms of weights that they read: an engine takes its own
 * version and older ones (sdk/device/engine/library.ts).
 */
export const SHARED_OBJECT_VERSION = 5;

export function sharedObjectEntry(
  program: Pick<Program, 'steps' | 'scratchBytes'>,
  direct: Direct = directOf([], {}),
): string {
  const { steps, scratchBytes } = program;
  return `
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#define EW_EXPORT __attribute__((visibility("default")))
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
    ew_dot8(EW_CHAINS(ew_reach(codes, EW_LANES / 8, 1, 4)), row, &at, 1, codes, 1, 1, 0, 4, start, got);
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
/* of a thousand codes of a tile that is multiplied with one row, how many may be listed at most where its form of sdk/wire/row-tiles.ts is to be faster */
EW_EXPORT i32 ew_row_lists(void) { return EW_ROW_LISTS; }
EW_EXPORT i32 ew_step_count(void) { return ${steps.length}; }
/* bytes of working memory for each part */
EW_EXPORT i64 ew_scratch_bytes(void) { return ${scratchBytes}; }
/* from that of one part to that of the next */
EW_EXPORT i64 ew_scratch_apart(void) { return ${scratchBytes + SCRATCH_APART}; }
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
${threads(program, direct)}`;
}
