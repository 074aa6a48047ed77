import type { End, Ends } from '../../ends.ts';
import { OVERREAD } from '../../lifetimes.ts';
import { partOf, type StepCall } from './module.ts';

/** Steps that read and write the application's own tensors, where it has the program run as a whole: neither is copied. */
export interface Direct {
  readonly steps: ReadonlySet<number>;
  /** C functions `ew_direct_<step>`, those of the steps with a table of pointers for the two tensors. */
  readonly text: string;
  /** C functions for engines, behind those of threads. */
  readonly entry: string;
}

/** The operand of a step that is the program's input or output, in the table of pointers. */
export const DIRECT = { input: '(void *)io[0]', output: '(void *)io[1]' } as const;

export function directOf(calls: readonly StepCall[], { input, output }: Ends): Direct {
  const steps = new Set<number>();
  let text = '';
  calls.forEach(({ kernel, direct, band }, i) => {
    if (!direct) return;
    steps.add(i);
    const args = [...direct, 'S', ...partOf(band)].join(', ');
    text += `static void ew_direct_${i}(const u8 *W, u8 *A, u8 *S, i32 part, i32 parts, void *const *io) { (void)W; (void)A; k${kernel}(${args}); }\n`;
  });
  const slot = (end: End | undefined): number => end?.slot ?? -1;
  const place = (end: End | undefined): string => `t->arena + ${end?.offset ?? 0}`;
  const bytes = (end: End | undefined): string => `${end?.bytes ?? 0}u`;
  const entry = `/* the input and the output that ew_pass takes, -1 for none */
EW_EXPORT i32 ew_pass_input(void) { return ${slot(input)}; }
EW_EXPORT i32 ew_pass_output(void) { return ${slot(output)}; }
/* Kernels may read so much past the end of what they are given, which has to be of the same page then. */
static i32 ew_ends_well(const u8 *p, u64 bytes) { return ((u64)p + bytes - 1) / 4096 == ((u64)p + bytes - 1 + ${OVERREAD}) / 4096; }
/* All steps, with an input and an output where the application has them; 0 for those that are in the arena. */
EW_EXPORT void ew_pass(ew_team *t, const u8 *in, u8 *out) {
  ew_order *const o = &t->order;
  u8 *const after = out && !ew_ends_well(out, ${bytes(output)}) ? out : 0;
  if (after) out = 0;
  const i32 overlap = in && out && (u64)in < (u64)out + ${bytes(output)} && (u64)out < (u64)in + ${bytes(input)};
  if (in && (overlap || !ew_ends_well(in, ${bytes(input)}))) { ew_bring(t, ${place(input)}, in, ${bytes(input)}); in = 0; }
  o->io[0] = in ? (void *)in : ${place(input)}; o->io[1] = out ? out : ${place(output)};
  o->direct = in || out;
  ew_run(t, 0, EW_STEPS);
  o->direct = 0;
  if (after) ew_bring(t, after, ${place(output)}, ${bytes(output)});
}
`;
  return { steps, text, entry };
}
