/*
 * Start-up of a bare Cortex-M under qemu: vectors, floating point, the C library's few functions that a library asks for, and the
 * semihosting calls that print and end the run. Prints instructions
 * of one run (with -icount shift=0) and its stack after the program's own lines.
 */
#include <stddef.h>
#include <stdint.h>

int main(void);
void model_run(void);
extern uint32_t stack_top;
extern uint32_t data_from[], data_begin[], data_end[], bss_begin[], bss_end[];

static int host(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

int puts(const char *text) {
  host(4, text);
  host(4, "\n");
  return 0;
}

static void number(const char *what, uint32_t n) {
  char digits[11];
  int i = 10;
  digits[i] = 0;
  do digits[--i] = (char)('0' + n % 10); while ((n /= 10) != 0);
  host(4, what);
  puts(digits + i);
}

#define SYST_CSR (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018)

static uint32_t ticks(void (*work)(void)) {
  SYST_RVR = 0xffffff;
  SYST_CVR = 0;
  SYST_CSR = 5;
  const uint32_t from = SYST_CVR;
  work();
  return (from - SYST_CVR) & 0xffffff;
}

/* Deepest use of the stack by `work`, bytes: what it leaves of a pattern below this function's own frame. */
static uint32_t deepest(void (*work)(void)) {
  volatile uint32_t *const top = (volatile uint32_t *)__builtin_frame_address(0) - 16;
  volatile uint32_t *p;
  for (p = top - 3000; p < top; p++) *p = 0xa5a5a5a5;
  work();
  for (p = top - 3000; p < top && *p == 0xa5a5a5a5;) p++;
  return (uint32_t)((const volatile char *)top - (const volatile char *)p);
}

/* two million instructions */
static void known(void) {
  __asm__ volatile("ldr r3, =1000000\n1: subs r3, r3, #1\n bne 1b" ::: "r3", "cc");
}

void stop(void) {
  puts("FAULT");
  host(0x18, (void *)0x20023);
  for (;;);
}

void reset(void) {
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
  __asm__ volatile("dsb\n isb");
  for (uint32_t *d = data_begin, *s = data_from; d < data_end;) *d++ = *s++;
  for (uint32_t *d = bss_begin; d < bss_end;) *d++ = 0;
  const int wrong = main();
  number("instructions ", (uint32_t)((uint64_t)ticks(model_run) * 2000000u / ticks(known)));
  number("stack ", deepest(model_run));
  host(0x18, (void *)(wrong ? 0x20023 : 0x20026));
  for (;;);
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {&stack_top, (void *)reset, (void *)stop, (void *)stop, (void *)stop, (void *)stop, (void *)stop};

void *memcpy(void *d, const void *s, size_t n) {
  uint8_t *a = d;
  const uint8_t *b = s;
  if ((((uintptr_t)a | (uintptr_t)b) & 3) == 0)
    for (; n >= 4; n -= 4, a += 4, b += 4) *(uint32_t *)(void *)a = *(const uint32_t *)(const void *)b;
  while (n--) *a++ = *b++;
  return d;
}

void *memmove(void *d, const void *s, size_t n) {
  uint8_t *a = d;
  const uint8_t *b = s;
  if (a < b) return memcpy(d, s, n);
  while (n--) a[n] = b[n];
  return d;
}

void *memset(void *d, int v, size_t n) {
  uint8_t *a = d;
  for (; n && ((uintptr_t)a & 3); n--) *a++ = (uint8_t)v;
  for (; n >= 4; n -= 4, a += 4) *(uint32_t *)(void *)a = 0x01010101u * (uint8_t)v;
  while (n--) *a++ = (uint8_t)v;
  return d;
}

int memcmp(const void *a, const void *b, size_t n) {
  const uint8_t *x = a, *y = b;
  for (; n; n--, x++, y++) if (*x != *y) return *x - *y;
  return 0;
}
