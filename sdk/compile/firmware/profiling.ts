import { type FirmwareSource, upper } from './source.ts';

/** Profiling by layer: what the header says of it. */
export function profilingApi(source: FirmwareSource): string {
  const { name, planned } = source;
  const N = upper(source);
  return `/*
 * Profiling by layer. Where ${N}_PROFILE is defined, for all files, ${name}_run calls a function of yours after each step, with its place in
 * ${name}_steps; elsewhere nothing of it is in the code. Read a clock there: what has passed since the call before is the time of the step.
 */
#ifdef ${N}_PROFILE
#define ${N}_STEPS ${planned.program.steps.length}
typedef struct {
  const char *layer;
  const char *kernel;
  /* multiplications and additions */
  uint64_t macs;
  /* activations and weights, each counted once */
  uint32_t bytes;
} ${name}_step;
extern const ${name}_step ${name}_steps[${N}_STEPS];
void ${name}_step_ended(int step);
#endif
`;
}

/** The table of steps, for the file of the kernels. */
export function stepsTable(source: FirmwareSource): string {
  const { name, planned } = source;
  const N = upper(source);
  const rows = planned.program.steps.map(
    (s) => `  {${cString(s.node)}, ${cString(s.kind)}, ${Math.round(s.macs)}ull, ${Math.round(s.bytes)}u},\n`,
  );
  return `
#ifdef ${N}_PROFILE
const ${name}_step ${name}_steps[${N}_STEPS] = {
${rows.join('')}};
#endif
`;
}

/** The example's function: it names the steps, for want of a clock that every board has. */
export function profilingExample(source: FirmwareSource): string {
  const { name } = source;
  return `#ifdef ${upper(source)}_PROFILE
void ${name}_step_ended(int step) { puts(${name}_steps[step].layer); }
#endif
`;
}

/** What the library's README says of it. */
export function profilingText(source: FirmwareSource): string {
  const { name } = source;
  const N = upper(source);
  return `## Time by layer

With \`-D${N}_PROFILE\`, \`${name}_run\` calls \`${name}_step_ended\` after each step; \`${name}_steps\` says what each one is. On a Cortex-M33, M7 or M55, with CMSIS:

    uint32_t cycles[${N}_STEPS];
    static uint32_t last;
    void ${name}_step_ended(int step) {
      const uint32_t now = DWT->CYCCNT;
      cycles[step] = now - last;
      last = DWT->CYCCNT;
    }
    ...
    CoreDebug->DEMCR |= CoreDebug_DEMCR_TRCENA_Msk;
    DWT->CTRL |= DWT_CTRL_CYCCNTENA_Msk;
    last = DWT->CYCCNT;
    ${name}_run();
`;
}

/** A string literal: no name of a layer ends it, or means something else in C. */
function cString(text: string): string {
  const octal = (c: string): string => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`;
  return `"${text.replace(/["\\?\p{Cc}]/gu, octal)}"`;
}
