import { type Graph, valueNamed } from '../../ir/graph.ts';
import { EigenError } from '../../util/errors.ts';
import { byteLength, bytesOf, type DType, sizeOf, type Tensor } from '../../util/tensor.ts';
import type { Slot } from '../../wire/program.ts';
import type { PlannedProgram } from '../index.ts';
import { SELF_TEST } from './self-test.ts';
import { STACK_BYTES } from './size.ts';

/** What a library is made from. */
export interface FirmwareSource {
  readonly graph: Graph;
  readonly planned: PlannedProgram;
  /** The resident weight block of the program. */
  readonly weights: Uint8Array;
  /** One input of every name, and for every output the SHA-256 of its bytes. */
  readonly golden: {
    readonly inputs: Readonly<Record<string, Tensor>>;
    readonly outputs: readonly { readonly name: string; readonly sha256: string }[];
  };
  /** Prefix of files and functions, a C identifier. */
  readonly name: string;
  /** Name and version of the tool, digest of the bundle. */
  readonly origin: string;
  /** Options for the compiler that belong to the board. */
  readonly board: { readonly name: string; readonly flags: readonly string[] };
}

const C_TYPES: Partial<Record<DType, string>> = {
  f32: 'float',
  f64: 'double',
  i8: 'int8_t',
  u8: 'uint8_t',
  i16: 'int16_t',
  u16: 'uint16_t',
  i32: 'int32_t',
  u32: 'uint32_t',
  i64: 'int64_t',
  bool: 'uint8_t',
};

/** Files of a C library that runs the program, by name: nothing in them depends on where or when they are made. */
export function firmwareLibrary(source: FirmwareSource): Map<string, string> {
  const { name } = source;
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new EigenError('EW1001_USAGE', `'${name}' is no name for functions in C`, {
      hint: 'use letters, digits and underscores, and no digit first',
    });
  return new Map([
    [`${name}.h`, header(source)],
    [`${name}.c`, kernels(source)],
    [`${name}_weights.c`, weightArray(source)],
    [`${name}_test.c`, selfTest(source)],
    ['main.c', mainFile(source)],
    ['CMakeLists.txt', cmake(source)],
    ['README.md', readme(source)],
  ]);
}

const upper = ({ name }: FirmwareSource): string => name.toUpperCase();

function typeOf(slot: Slot): string {
  const type = C_TYPES[slot.dtype];
  if (type) return type;
  throw new EigenError('EW3102_OP_UNSUPPORTED', `'${slot.name}' is ${slot.dtype}, which firmware does not take`);
}

const banner = ({ planned, origin }: FirmwareSource): string => `/* ${planned.program.name}: made by ${origin}. */\n`;

/** `name int8 [1, 4]` for people. */
const described = (s: Slot): string =>
  `"${s.name.replaceAll('*/', '* /')}", ${typeOf(s)} [${s.shape.join(', ')}], row after row`;

function header(source: FirmwareSource): string {
  const { name, planned, graph } = source;
  const { program } = planned;
  const N = upper(source);
  const slots = [
    ...program.inputs.map((s, i) => slotText(source, s, `input${i}`, '', codesOf(graph, s.name))),
    ...program.outputs.map((s, i) => slotText(source, s, `output${i}`, 'const ', '')),
  ];
  return `${banner(source)}#ifndef ${N}_H
#define ${N}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Memory in bytes. Constants are read where they lie, in flash: ${name}_weights.c. Activations and working memory are one static array
 * in ${name}.c. Nothing is allocated; the stack bound holds for ${name}_run with everything it calls.
 */
#define ${N}_WEIGHT_BYTES ${program.weightBytes}
#define ${N}_ARENA_BYTES ${program.arenaBytes}
#define ${N}_SCRATCH_BYTES ${program.scratchBytes}
#define ${N}_RAM_BYTES (${N}_ARENA_BYTES + ${N}_SCRATCH_BYTES)
#define ${N}_STACK_BYTES ${STACK_BYTES}
/* multiplications and additions of one run */
#define ${N}_MACS ${program.steps.reduce((n, s) => n + s.macs, 0)}

${slots.join('\n')}
/* Clears the memory. Optional: every run needs its inputs and nothing else. */
void ${name}_init(void);

/*
 * One inference. Write all inputs before every run, since a run uses their memory, and read the outputs before the next one. Not
 * reentrant: there is one memory.
 */
void ${name}_run(void);

/* Runs the golden input of ${name}_test.c: 0 when every output has the bytes that it has on every other engine, else 1. */
int ${name}_self_test(void);

/* SHA-256 of the bytes of an output as it is now. */
void ${name}_output_hash(int output, uint8_t hash[32]);

#ifdef __cplusplus
}
#endif

#endif
`;
}

function slotText({ name }: FirmwareSource, s: Slot, which: string, quality: string, note: string): string {
  const N = name.toUpperCase();
  return `/* ${which}: ${described(s)}${note} */
#define ${N}_${which.toUpperCase()}_ELEMENTS ${sizeOf(s.shape)}
${quality}${typeOf(s)} *${name}_${which}(void);
`;
}

/** How an input is quantized, where that is the first thing that happens to it. */
function codesOf(graph: Graph, input: string): string {
  const node = graph.nodes.find((n) => n.op === 'Quantize' && n.inputs[0] === input);
  if (!node) return '';
  const [, inv, zp] = node.inputs as [string, string, string];
  const [i, z] = [valueNamed(graph, inv).data, valueNamed(graph, zp).data];
  if (i?.data.length !== 1 || z?.data.length !== 1) return '';
  const wide = valueNamed(graph, node.outputs[0]!).type.dtype === 'i16';
  const [low, high] = wide ? [-32768, 32767] : [-128, 127];
  const step = 1 / Number(i.data[0]);
  const at = (code: number): string => ((code - Number(z.data[0])) * step).toPrecision(5);
  return `;\n   becomes ${wide ? 16 : 8}-bit codes: scale ${step.toPrecision(7)}, zero point ${z.data[0]}, so values outside of ${at(low)} .. ${at(high)} saturate`;
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

extern const uint64_t ${name}_weights[${N}_WEIGHT_BYTES / 8];

${planned.source}
static ${N}_MEMORY union { uint8_t bytes[${N}_RAM_BYTES]; uint64_t align[1]; } memory;

${program.inputs.map((s, i) => pointer(s, `input${i}`, '')).join('')}${program.outputs.map((s, i) => pointer(s, `output${i}`, 'const ')).join('')}
void ${name}_init(void) { memset(&memory, 0, sizeof memory); }

void ${name}_run(void) { ew_run((const uint8_t *)${name}_weights, memory.bytes, memory.bytes + ${N}_ARENA_BYTES); }
`;
}

/** Bytes as the elements of an array, a line for every 32. */
function byteRows(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let i = 0; i < bytes.length; i += 32) rows.push(`  ${Array.from(bytes.subarray(i, i + 32), String).join(',')}`);
  return rows.join(',\n');
}

/** Bytes as little-endian words of 64 bits, four a line. */
function wordRows(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = Array.from({ length: bytes.length / 8 }, (_, i) => `0x${view.getBigUint64(8 * i, true).toString(16)}u`);
  const rows: string[] = [];
  for (let i = 0; i < words.length; i += 4) rows.push(`  ${words.slice(i, i + 4).join(', ')}`);
  return rows.join(',\n');
}

function weightArray(source: FirmwareSource): string {
  const { name } = source;
  const N = upper(source);
  return `${banner(source)}
#include "${name}.h"

/* An attribute of yours, such as a section. */
#ifndef ${N}_CONSTANTS
#define ${N}_CONSTANTS
#endif

extern const uint64_t ${name}_weights[${N}_WEIGHT_BYTES / 8];
${N}_CONSTANTS const uint64_t ${name}_weights[${N}_WEIGHT_BYTES / 8] = {
${wordRows(source.weights)}
};
`;
}

function selfTest(source: FirmwareSource): string {
  const { name, planned, golden } = source;
  const { inputs, outputs } = planned.program;
  const given = inputs.map((s, i) => {
    const t = golden.inputs[s.name]!;
    return `/* "${s.name}" */\nstatic const uint8_t input${i}[${byteLength(s)}] = {\n${byteRows(bytesOf(t.data))}\n};\n`;
  });
  const expected = outputs.map((s) => golden.outputs.find((o) => o.name === s.name)!.sha256);
  const hashes = expected.map((hex) => `  {${[...Buffer.from(hex, 'hex')].join(',')}}`).join(',\n');
  const copies = inputs.map((_, i) => `  memcpy(${name}_input${i}(), input${i}, sizeof input${i});\n`).join('');
  const cases = outputs
    .map((s, i) => `  if (output == ${i}) sha256((const uint8_t *)${name}_output${i}(), ${byteLength(s)}u, hash);\n`)
    .join('');
  return `${banner(source)}
#include "${name}.h"
#include <string.h>

${given.join('\n')}
/* SHA-256 of every output */
static const uint8_t expected[${outputs.length}][32] = {
${hashes}
};
${SELF_TEST}
void ${name}_output_hash(int output, uint8_t hash[32]) {
${cases}}

int ${name}_self_test(void) {
  int output;
${copies}  ${name}_run();
  for (output = 0; output < ${outputs.length}; output++) {
    uint8_t hash[32];
    ${name}_output_hash(output, hash);
    if (memcmp(hash, expected[output], 32) != 0) return 1;
  }
  return 0;
}
`;
}

function mainFile(source: FirmwareSource): string {
  const { name, planned } = source;
  const outputs = planned.program.outputs.length;
  return `${banner(source)}
/* Runs the golden input and prints the hash of every output, and whether it is the one that it has to be. */
#include "${name}.h"
#include <stdio.h>

int main(void) {
  int output, i;
  const int wrong = ${name}_self_test();
  for (output = 0; output < ${outputs}; output++) {
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[32];
    char text[65];
    ${name}_output_hash(output, hash);
    for (i = 0; i < 32; i++) {
      text[2 * i] = digits[hash[i] >> 4];
      text[2 * i + 1] = digits[hash[i] & 15];
    }
    text[64] = 0;
    puts(text);
  }
  puts(wrong ? "WRONG" : "right");
  return wrong;
}
`;
}

function cmake(source: FirmwareSource): string {
  const { name, board } = source;
  return `cmake_minimum_required(VERSION 3.13)
project(${name} C)

add_library(${name} STATIC ${name}.c ${name}_weights.c ${name}_test.c)
target_include_directories(${name} PUBLIC \${CMAKE_CURRENT_SOURCE_DIR})
# Without contraction into fused operations, the results are those of every other engine.
target_compile_options(${name} PRIVATE -std=c99 -Os -ffp-contract=off -fno-strict-aliasing -fno-math-errno -ffunction-sections -fdata-sections)

# The example is built on its own, not where another project takes the library in. For ${board.name}:
#   cmake -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_C_COMPILER=arm-none-eabi-gcc -DCMAKE_C_FLAGS="${board.flags.filter((f) => f.startsWith('-m')).join(' ')}" ...
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  add_executable(${name}_example main.c)
  target_link_libraries(${name}_example ${name})
endif()
`;
}

function readme(source: FirmwareSource): string {
  const { name, planned, board } = source;
  const { program } = planned;
  const N = upper(source);
  const used = floatsIn(source);
  return `# ${program.name} in C

A C99 library without dependencies but \`string.h\`: no allocation, no mathematical library, no operating system. \`${name}.h\` documents the
functions. Made by ${source.origin} for ${board.name}; it runs on any little-endian processor.

| file | what it is |
|---|---|
| \`${name}.h\`, \`${name}.c\` | the functions and the kernels |
| \`${name}_weights.c\` | constants, ${program.weightBytes} bytes: leave them in flash |
| \`${name}_test.c\` | the golden input, the hashes of its outputs, \`${name}_self_test\` |
| \`main.c\` | an example: prints the hashes and whether they are right |
| \`CMakeLists.txt\` | builds the library, and the example when it is built by itself |

Memory: ${program.arenaBytes} bytes of activations and ${program.scratchBytes} of working memory, one static array, and at most ${STACK_BYTES} bytes of stack.
Define \`${N}_MEMORY\` and \`${N}_CONSTANTS\` as attributes to place the array and the constants, for example
\`-D${N}_MEMORY='__attribute__((section(".dtcm")))'\`.

    memcpy(${name}_input0(), samples, sizeof(float) * ${N}_INPUT0_ELEMENTS);
    ${name}_run();
    use(${name}_output0());

## Compiling

\`-Os\` makes small code, and about as fast a code as \`-O2\` on Cortex-M33 and M7. The products use SXTB16 and SMLAD where the compiler says that the processor has them
(Cortex-M4, M7, M33 with DSP; GCC or Clang), MVE on Cortex-M55, and plain C on every other processor: with the same bits. Results are those of all
other engines as long as the compiler does not fuse multiplications with additions and does not assume that memory keeps its type:
\`-ffp-contract=off -fno-strict-aliasing\`. GCC and Clang are told so in the file; tell others. Never use \`-ffast-math\`.

## Floating point

${used}
`;
}

/** What of the program computes with floats: it matters where there is no unit for them. */
function floatsIn({ planned }: FirmwareSource): string {
  const integer = new Set([
    'qconv',
    'qlinear',
    'qlstm',
    'qattention',
    'qgather',
    'strided',
    'pad',
    'concat',
    'gather',
    'cast',
  ]);
  const floats = planned.program.steps.filter((s) => !integer.has(s.kind) && s.macs > 0);
  const scaling =
    'Products of codes are integers. Around them single precision is used: inputs are quantized, and every sum is scaled, shifted and rounded, three to seven operations an element.';
  const others =
    floats.length === 0
      ? 'No product is made of floats.'
      : `These layers are products of floats: ${floats.map((s) => s.node).join(', ')}. Compress the model to have them in integers.`;
  return `${scaling} ${others} A processor without a unit for it computes the same bits in software, some tens of instructions an operation.`;
}
