import { EigenError } from '../../util/errors.ts';
import type { Slot } from '../../wire/program.ts';
import { testFile, weightsFile } from './data-files.ts';
import { headerFile } from './header.ts';
import { stepsTable } from './profiling.ts';
import { cmakeFile, mainFile, readmeFile } from './project-files.ts';
import { banner, type FirmwareSource, typeOf, upper } from './source.ts';

/** Files of a C library that runs the program, by name: nothing in them depends on where or when they are made. */
export function firmwareLibrary(source: FirmwareSource): Map<string, string> {
  const { name } = source;
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new EigenError('EW1001_USAGE', `'${name}' is no name for functions in C`, {
      hint: 'use letters, digits and underscores, and no digit first',
    });
  return new Map([
    [`${name}.h`, headerFile(source)],
    [`${name}.c`, kernels(source)],
    [`${name}_weights.c`, weightsFile(source)],
    [`${name}_test.c`, testFile(source)],
    ['main.c', mainFile(source)],
    ['CMakeLists.txt', cmakeFile(source)],
    ['README.md', readmeFile(source)],
  ]);
}

function kernels(source: FirmwareSource): string {
  const { name, planned } = source;
  const { program } = planned;
  const N = upper(source);
  const pointer = (s: Slot, which: string, quality: string): string =>
    `${quality}${typeOf(s)} *${name}_${which}(void) { return (${quality}${typeOf(s)} *)(void *)(memory.bytes + ${s.offset}); }\n`;
  return `${banner(source)}
/* The bits of the results depend on it: every product and every sum is rounded by itself. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off", "no-strict-aliasing")
#endif

#include "${name}.h"
#include <string.h>
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>
#endif

/* Where the memory and the constants go, if not where the compiler puts them: an attribute of yours, such as a section. */
#ifndef ${N}_MEMORY
#define ${N}_MEMORY
#endif

#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "constants lie in little-endian order"
#endif

#ifdef ${N}_PROFILE
#define EW_STEP(i) ${name}_step_ended(i);
#endif

extern const uint64_t ${name}_weights[${N}_WEIGHT_BYTES / 8];

${planned.source}
static ${N}_MEMORY union { uint8_t bytes[${N}_RAM_BYTES]; uint64_t align[1]; } memory;

${program.inputs.map((s, i) => pointer(s, `input${i}`, '')).join('')}${program.outputs.map((s, i) => pointer(s, `output${i}`, 'const ')).join('')}
void ${name}_init(void) { memset(&memory, 0, sizeof memory); }

void ${name}_run(void) { ew_run((const uint8_t *)${name}_weights, memory.bytes, memory.bytes + ${N}_ARENA_BYTES); }
${stepsTable(source)}`;
}
