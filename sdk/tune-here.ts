import type { CompiledProgram } from './compile/index.ts';
import type { Target } from './compile/target.ts';
import type { Engine } from './device/engine/engine.ts';
import { NativeEngine } from './device/engine/native.ts';
import { processorFlags, runnable } from './device/engine/processor.ts';
import { WasmEngine } from './device/engine/wasm.ts';
import { preferredVariant } from './device/engine/wasm-kernels.ts';
import { probeHost } from './device/probe.ts';
import type { Graph } from './ir/graph.ts';
import { residentBlock } from './runner.ts';
import { tuneBlocks } from './tune.ts';
import { isEigenError } from './util/errors.ts';
import { thisPlatform } from './wire/kernels.ts';

/** Blocks for WebAssembly kernels, timed in this Node. */
export async function wasmBlocks(graph: Graph, target: Target): Promise<ReadonlyMap<string, number>> {
  const { variant } = preferredVariant();
  const load = ({ program, modules, ...rest }: CompiledProgram): Promise<Engine> =>
    WasmEngine.load(program, modules, residentBlock({ program, ...rest }), { variant });
  const machine = `${probeHost().name}, V8 ${process.versions.v8}`;
  return (await tuneBlocks(graph, { target, variant, machine, load })).blocks;
}

/** Blocks for native kernels, timed with the best variant that this machine runs; none where it cannot run any. */
export async function nativeBlocks(graph: Graph, target: Target): Promise<ReadonlyMap<string, number>> {
  const ids = target.variants.map((v) => ({ platform: target.platform, variant: v.id }));
  const variant = runnable(ids, thisPlatform(), processorFlags())[0]?.variant;
  if (variant === undefined) return new Map();
  const load = ({ program, modules, ...rest }: CompiledProgram): Promise<Engine> =>
    NativeEngine.load(program, modules, residentBlock({ program, ...rest }));
  try {
    return (await tuneBlocks(graph, { target, variant, machine: probeHost().name, load })).blocks;
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW5003_ENGINE_UNAVAILABLE') return new Map();
    throw e;
  }
}
