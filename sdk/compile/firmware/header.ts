import { type Graph, valueNamed } from '../../ir/graph.ts';
import { sizeOf } from '../../util/tensor.ts';
import type { Slot } from '../../wire/program.ts';
import { profilingApi } from './profiling.ts';
import { STACK_BYTES } from './size.ts';
import { banner, type FirmwareSource, typeOf, upper } from './source.ts';

/** `name int8 [1, 4]` for people. */
const described = (s: Slot): string =>
  `"${s.name.replaceAll('*/', '* /')}", ${typeOf(s)} [${s.shape.join(', ')}], row after row`;

/** The documented API. */
export function headerFile(source: FirmwareSource): string {
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

${profilingApi(source)}
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
