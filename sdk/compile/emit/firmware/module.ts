import { bandLimits, type KernelContext, type KernelText, type Split } from '../c/context.ts';
import { MATH } from '../c/math.ts';
import type { StepCall } from '../c/module.ts';
import { PRELUDE } from '../c/prelude.ts';
import { LANE_VECTORS } from '../c/vectors.ts';
import type { Emission, KernelWriter } from '../emission.ts';
import { definitionsFor } from './chunks.ts';
import { helpersOf } from './helpers.ts';
import { emitFirmwareKernel } from './kernel.ts';
import { LANE } from './vocabulary.ts';

/** Kernels for microcontrollers: plain C99, one lane, one part. */
export const FIRMWARE: Emission = { turns: false, kernel: emitFirmwareKernel, writer: () => new FirmwareWriter() };

/** Names that kernels use for their own helpers; each gets the kernel's name in front. */
const LOCAL = /\b(epi|gather)\(/g;

/** What compilers of the GNU family have built in, as the vocabulary defines it. */
const BUILT_IN: readonly (readonly [RegExp, string])[] = [
  [/__builtin_inff\(\)/g, 'EW_INFINITY'],
  [/__builtin_nanf\(""\)/g, 'EW_NAN'],
  [/__builtin_(floor|ceil)f\b/g, 'ew_$1f'],
];

const plainC = (text: string): string => BUILT_IN.reduce((t, [from, to]) => t.replace(from, to), text);

/** Of the helpers that are written for vectors, those that take lanes one by one; emit/firmware/helpers.ts has the others. */
const SHARED = [MATH, PRELUDE.replace(/\n#ifdef EW_DOT7[\s\S]*/, '\n'), LANE_VECTORS].map(plainC);

/** What follows each step, for whoever includes the text to define: nothing else. */
const STEP = '#ifndef EW_STEP\n#define EW_STEP(i)\n#endif\n';

/** A function and the items that it is called for: layers that differ in nothing else have one function. */
interface Kernel {
  readonly name: string;
  readonly split: Split | undefined;
}

class FirmwareWriter implements KernelWriter {
  private readonly texts: string[] = [];
  private readonly kernels: Kernel[] = [];
  private readonly byText = new Map<string, string>();
  /** Widths of panels that any kernel reads. */
  private readonly widths = new Set<number>();

  add(ctx: KernelContext, text: KernelText): number {
    for (const o of ctx.operands)
      if (o.kind === 'weight' && o.layout.kind === 'panels') for (const b of o.layout.widths) this.widths.add(b);
    const all = ctx
      .resolve(ctx.parameters())
      .split(', ')
      .filter((p) => p !== '');
    const body = ctx.resolve(text.body);
    const helpers = this.withOwnOperands(ctx, text.helpers, body, all);
    const key = `${all}|${helpers.text}|${helpers.body}`;
    const index = this.kernels.length;
    const known = this.byText.get(key);
    this.kernels.push({ name: known ?? `k${index}`, split: text.split });
    if (known !== undefined) return index;
    const name = `k${index}`;
    this.byText.set(key, name);
    const own = (s: string): string => s.replace(LOCAL, `${name}_$1(`);
    const parameters = [...all, 'u8 *S', ...(text.split ? ['i32 m0', 'i32 m1'] : [])].join(', ');
    const parts = /\bparts?\b/.test(helpers.body) ? '\n  const i32 part = 0, parts = 1;' : '';
    this.texts.push(
      plainC(own(`${helpers.text}static void ${name}(${parameters}) {\n  (void)S;${parts}\n  ${helpers.body}\n}\n`)),
    );
    return index;
  }

  /** The epilogue gets those of the kernel's operands that it uses. */
  private withOwnOperands(ctx: KernelContext, helpers: string, body: string, all: readonly string[]) {
    const used = new Set(helpers.match(/\bp\d+\b/g));
    const own = all.filter((_, i) => used.has(`p${i}`));
    const names = all.map((_, i) => `p${i}`);
    const list = (items: readonly string[]): string => items.map((p) => `${p}, `).join('');
    return {
      text: helpers.replaceAll(`${ctx.parameters()}, `, list(own)),
      body: body.replaceAll(`epi(${list(names)}`, `epi(${list(names.filter((p) => used.has(p)))}`),
    };
  }

  source(steps: readonly StepCall[]): string {
    const calls = steps.map((s, i) => {
      const { name, split } = this.kernels[s.kernel]!;
      const limits = split ? bandLimits(split, s.band.of).slice(s.band.index, s.band.index + 2) : [];
      return `  ${name}(${[...s.addresses, 'S', ...limits].join(', ')}); EW_STEP(${i})\n`;
    });
    const text = `${this.texts.join('\n')}\nstatic void ew_run(const u8 *W, u8 *A, u8 *S) {\n  (void)W;\n${calls.join('')}}\n`;
    return definitionsFor(text, [STEP, LANE, ...helpersOf([...this.widths].sort((a, b) => a - b)), ...SHARED]) + text;
  }
}
