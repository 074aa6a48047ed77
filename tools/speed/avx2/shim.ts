import { hidingCode } from './hidden.ts';

/**
 * C of the library that a restrained process loads first. It answers trapped cpuid instructions (see trap.ts) as a processor with AVX2
 * alone would, and asks the processor itself which registers of AVX-512 are in use: XGETBV with 1 tells whether the masks and registers 16
 * to 31 hold anything, which vzeroupper does not clear; XRSTOR without data makes them unused again.
 */
export function shimSource(): string {
  return `
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#define EXPORT __attribute__((visibility("default")))
#define AVX512_STATE 0xe0u

static struct sigaction earlier;
static uint32_t answers;

static void ask(uint32_t leaf, uint32_t subleaf, uint32_t r[4]) {
  __cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
${hidingCode()}
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  int by_instruction = info->si_code == SI_KERNEL;
  if (by_instruction && *(const uint8_t *)g[REG_RIP] == 0xa2) {
    uint32_t r[4];
    ask((uint32_t)g[REG_RAX], (uint32_t)g[REG_RCX], r);
    g[REG_RAX] = r[0], g[REG_RBX] = r[1], g[REG_RCX] = r[2], g[REG_RDX] = r[3];
    g[REG_RIP] += 1;
    __atomic_fetch_add(&answers, 1, __ATOMIC_RELAXED);
    return;
  }
  /* Somebody else's: comes again, to whoever had such signals before. */
  sigaction(SIGTRAP, &earlier, 0);
  if (by_instruction) g[REG_RIP] -= 1;
  else raise(signal);
}

static uint32_t xgetbv(uint32_t which) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(which));
  return low;
}

static int has_state(void) { return (xgetbv(0) & AVX512_STATE) != 0; }

/* 0, or what is missing: 1 signals, 2 a processor that tells which registers are in use. */
EXPORT int32_t restrain(void) {
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  uint32_t a, b, c, d;
  __cpuid_count(13, 1, a, b, c, d);
  if (has_state() && !(a & 4u)) return 2;
  return sigaction(SIGTRAP, &action, &earlier) == 0 ? 0 : 1;
}

/* How many trapped instructions were answered. */
EXPORT uint32_t answered(void) { return __atomic_load_n(&answers, __ATOMIC_RELAXED); }

EXPORT void forget(void) {
  static const uint8_t empty[1024] __attribute__((aligned(64)));
  if (has_state()) __asm__ volatile("xrstor %0" : : "m"(empty), "a"(AVX512_STATE), "d"(0) : "memory");
}

/* Of the calling thread, since it last forgot. */
EXPORT uint32_t in_use(void) { return has_state() ? xgetbv(1) & AVX512_STATE : 0; }

/* What a trapped instruction is told: a register, 0 to 3, of a leaf. */
EXPORT uint32_t told(uint32_t leaf, uint32_t subleaf, int32_t which) {
  uint32_t r[4];
  __asm__ volatile(".byte 0xcc, 0xa2" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(subleaf));
  return r[which & 3];
}
`;
}
