import { profilingExample, profilingText } from './profiling.ts';
import { STACK_BYTES } from './size.ts';
import { banner, type FirmwareSource, upper } from './source.ts';

/** The example. */
export function mainFile(source: FirmwareSource): string {
  const { name, planned } = source;
  const outputs = planned.program.outputs.length;
  return `${banner(source)}
/* Runs the golden input and prints the hash of every output, and whether it is the one that it has to be. */
#include "${name}.h"
#include <stdio.h>

${profilingExample(source)}
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

export function cmakeFile(source: FirmwareSource): string {
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

export function readmeFile(source: FirmwareSource): string {
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

${profilingText(source)}
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
