/*
 * Runs a program's kernels without the engine: they come from a shared object as bundles have it, everything else from files, so that an
 * emulator of another processor needs no more than this.
 *   kernel-runner KERNELS WEIGHTS INPUTS OUTPUTS ARENA-BYTES WEIGHT-BYTES RUNS PARTS[,PARTS...] {i|o OFFSET BYTES}...
 * INPUTS holds the inputs of every run one after another in the order of the i slots; OUTPUTS gets the outputs of all runs likewise, once
 * for every number of parts. Exit status 3 says that the kernels' known answers come out wrong.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void *function(void *kernels, const char *name) {
  void *f = dlsym(kernels, name);
  if (!f) fail("no such function", name);
  return f;
}

/* The slots of one direction: read into the arena, or written from it. */
static void transfer(char direction, char **slots, int words, unsigned char *arena, FILE *file) {
  for (int i = 0; i + 2 < words; i += 3) {
    if (slots[i][0] != direction) continue;
    unsigned char *at = arena + atol(slots[i + 1]);
    const size_t bytes = (size_t)atol(slots[i + 2]);
    const size_t done = direction == 'i' ? fread(at, 1, bytes, file) : fwrite(at, 1, bytes, file);
    if (done != bytes) fail("slot", slots[i + 1]);
  }
}

int main(int argc, char **argv) {
  if (argc < 9) fail("usage", "see the source");
  void *kernels = dlopen(argv[1], RTLD_NOW);
  if (!kernels) fail("dlopen", dlerror());
  void *(*map)(const char *, uint64_t) = function(kernels, "ew_map");
  void *(*open_team)(const void *, void *, void *, int32_t) = function(kernels, "ew_open");
  void (*run)(void *, int32_t, int32_t) = function(kernels, "ew_run");
  void (*close_team)(void *) = function(kernels, "ew_close");
  int32_t (*wrong)(void) = function(kernels, "ew_wrong");
  int32_t (*step_count)(void) = function(kernels, "ew_step_count");
  int64_t (*scratch_bytes)(void) = function(kernels, "ew_scratch_bytes");
  int64_t (*scratch_apart)(void) = function(kernels, "ew_scratch_apart");
  if (wrong()) return 3;
  FILE *outputs = fopen(argv[4], "wb");
  if (!outputs) fail("open", argv[4]);
  const long runs = atol(argv[7]);
  unsigned char *arena = map(NULL, (uint64_t)atol(argv[5]));
  void *weights = map(argv[2], (uint64_t)atol(argv[6]));
  if (!arena || !weights) fail("map", argv[2]);
  for (char *list = argv[8]; *list; list += *list == ',') {
    const int32_t parts = (int32_t)strtol(list, &list, 10);
    void *scratch = map(NULL, (uint64_t)scratch_apart() * (uint64_t)(parts - 1) + (uint64_t)scratch_bytes() + 1);
    void *team = scratch ? open_team(weights, arena, scratch, parts) : NULL;
    if (!team) fail("open", "no memory or threads");
    FILE *inputs = fopen(argv[3], "rb");
    if (!inputs) fail("open", argv[3]);
    for (long i = 0; i < runs; i++) {
      transfer('i', argv + 9, argc - 9, arena, inputs);
      run(team, 0, step_count());
      transfer('o', argv + 9, argc - 9, arena, outputs);
    }
    fclose(inputs);
    close_team(team);
  }
  return fclose(outputs) ? 1 : 0;
}
