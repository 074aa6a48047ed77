import { byteLength, bytesOf } from '../../util/tensor.ts';
import { SELF_TEST } from './self-test.ts';
import { banner, type FirmwareSource, upper } from './source.ts';

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

/** Constants as an array. */
export function weightsFile(source: FirmwareSource): string {
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

/** The golden input, the hashes of its outputs, and the test. */
export function testFile(source: FirmwareSource): string {
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
