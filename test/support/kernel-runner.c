/*
 * Runs the steps of a program without the engine: kernels come from a shared object, everything else from files, so that an emulator
 * of another processor needs no more than this.
 *   kernel-runner KERNELS WEIGHTS INPUTS OUTPUTS THREADS STEPS ARENA SCRATCH RUNS {i|o OFFSET BYTES}...
 * WEIGHTS is the resident block, mapped and never written; INPUTS holds the inputs of every run one after another in the order of the i
 * slots, OUTPUTS gets the outputs likewise. Parts meet after every step, as they do in the engines.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef void (*Step)(const unsigned char *, unsigned char *, unsigned char *, int, int);

static const unsigned char *weights;
static unsigned char *arena;
static Step *steps;
static long step_count, scratch_bytes, runs;
static int parts;
static pthread_barrier_t barrier;
static FILE *inputs, *outputs;
static char **slots;
static int slot_words;

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "%s: %s\n", what, detail);
  exit(1);
}

static void *room(long bytes) {
  void *p = mmap(NULL, (size_t)bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail("mmap", "no memory");
  return p;
}

/* The slots of one direction: read into the arena, or written from it. */
static void transfer(char direction) {
  for (int i = 0; i + 2 < slot_words; i += 3) {
    if (slots[i][0] != direction) continue;
    unsigned char *at = arena + atol(slots[i + 1]);
    const size_t bytes = (size_t)atol(slots[i + 2]);
    const size_t done = direction == 'i' ? fread(at, 1, bytes, inputs) : fwrite(at, 1, bytes, outputs);
    if (done != bytes) fail("slot", slots[i + 1]);
  }
}

static void *work(void *argument) {
  const int part = (int)(long)argument;
  unsigned char *scratch = room(scratch_bytes);
  for (long run = 0; run < runs; run++) {
    if (part == 0) transfer('i');
    pthread_barrier_wait(&barrier);
    for (long i = 0; i < step_count; i++) {
      steps[i](weights, arena, scratch, part, parts);
      pthread_barrier_wait(&barrier);
    }
    if (part == 0) transfer('o');
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 10) fail("usage", argv[0]);
  void *kernels = dlopen(argv[1], RTLD_NOW);
  if (!kernels) fail("dlopen", dlerror());
  const int file = open(argv[2], O_RDONLY);
  struct stat info;
  if (file < 0 || fstat(file, &info)) fail("weights", argv[2]);
  weights = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0);
  if (weights == MAP_FAILED) fail("mmap", argv[2]);
  inputs = fopen(argv[3], "rb");
  outputs = fopen(argv[4], "wb");
  if (!inputs || !outputs) fail("open", inputs ? argv[4] : argv[3]);
  parts = atoi(argv[5]);
  step_count = atol(argv[6]);
  arena = room(atol(argv[7]));
  scratch_bytes = atol(argv[8]);
  runs = atol(argv[9]);
  slots = argv + 10;
  slot_words = argc - 10;
  steps = malloc(sizeof(Step) * (size_t)step_count);
  for (long i = 0; i < step_count; i++) {
    char name[32];
    snprintf(name, sizeof name, "ew_step_%ld", i);
    steps[i] = (Step)dlsym(kernels, name);
    if (!steps[i]) fail("no such kernel", name);
  }
  pthread_barrier_init(&barrier, NULL, (unsigned)parts);
  pthread_t others[64];
  for (long p = 1; p < parts; p++)
    if (pthread_create(&others[p], NULL, work, (void *)p)) fail("pthread_create", "");
  work(NULL);
  for (long p = 1; p < parts; p++) pthread_join(others[p], NULL);
  return fclose(outputs) ? 1 : 0;
}
