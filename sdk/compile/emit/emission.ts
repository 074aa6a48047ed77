import type { Program } from '../../wire/program.ts';
import type { Ends } from '../ends.ts';
import type { Vectors, WideVectors } from '../target.ts';
import type { KernelContext, KernelText } from './c/context.ts';
import { directOf } from './c/direct.ts';
import { emitKernel } from './c/kernel.ts';
import { ModuleWriter, type StepCall } from './c/module.ts';

/** Collects the kernels of a program; kernels with the same text are one. */
export interface KernelWriter {
  /** Index of the kernel function. */
  add(ctx: KernelContext, text: KernelText): number;
  /** The whole translation unit. */
  source(steps: readonly StepCall[], program: Program, ends: Ends): string;
}

/** How kernels are written: the steps and the arena of a program are the same with every way, scratch and weights may differ. */
export interface Emission {
  /** See Vectors. */
  readonly sums?: boolean;
  readonly wide?: WideVectors | undefined;
  /** Kernels of products can write their results as columns, and those of permutations quantize what they read. */
  readonly turns: boolean;
  kernel(ctx: KernelContext): KernelText;
  writer(): KernelWriter;
}

/** Kernels in a vector vocabulary. */
export function vectorEmission(vectors: Vectors): Emission {
  return {
    sums: vectors.sums === true,
    wide: vectors.wide,
    turns: true,
    kernel: emitKernel,
    writer() {
      const module = new ModuleWriter();
      return {
        add: (ctx, text) => module.add(ctx, text),
        source: (steps, program, ends) =>
          `${module.source(vectors, steps)}${vectors.entry?.(program, directOf(steps, ends)) ?? ''}`,
      };
    },
  };
}
