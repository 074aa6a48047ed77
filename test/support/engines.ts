import { type CompiledProgram, type CompileOptions, compileGraph } from '../../sdk/compile/index.ts';
import type { Target } from '../../sdk/compile/target.ts';
import type { Engine } from '../../sdk/device/engine/engine.ts';
import { NativeEngine } from '../../sdk/device/engine/native.ts';
import { probeDot7 } from '../../sdk/device/engine/probe.ts';
import { processorFlags, runnable } from '../../sdk/device/engine/processor.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import type { Graph } from '../../sdk/ir/graph.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { thisPlatform } from '../../sdk/wire/kernels.ts';
import { TARGETS } from '../../targets/index.ts';
import { CALLS_COMPILERS, compilesFor, WITHOUT_COMPILER } from './compilers.ts';

/** One variant of kernels of a graph, on the engine that runs it here. */
export interface EngineCase {
  readonly name: string;
  readonly compiled: CompiledProgram;
  /** With the weights of the graph, or a block of others in their layouts. */
  load(threads: number, weights?: Uint8Array): Promise<Engine>;
}

/** The ways to run a WebAssembly module that are right here; others are named. */
export function wasmVariants(module: string): string[] {
  if (module !== 'dot7') return [module];
  const { whole, chained } = probeDot7();
  if (!whole.right) skip('kernels of wasm dot7', 'this Node has no right relaxed dot product', 'unsupported');
  if (!chained.right) skip('kernels of wasm dot7x16', 'this Node has no relaxed SIMD', 'unsupported');
  return [...(whole.right ? ['dot7'] : []), ...(chained.right ? ['dot7x16'] : [])];
}

/**
 * Everything that can run a graph here: every variant of every target, of WebAssembly with both of its compilers; `npm test` takes the slow one
 * only where that is asked for (`quick: false`). What cannot run is named.
 */
export async function engineCases(graph: Graph, options: CompileOptions = {}): Promise<EngineCase[]> {
  const cases: EngineCase[] = [];
  for (const target of TARGETS) {
    if (target.platform === 'wasm') {
      for (const quick of CALLS_COMPILERS || options.quick === false ? [false, true] : [true])
        cases.push(...(await wasmCases(graph, target, { ...options, quick })));
      continue;
    }
    if (target.platform !== thisPlatform()) continue;
    if (!(await compilesFor(target))) {
      skip(`kernels of target ${target.id}`, WITHOUT_COMPILER);
      continue;
    }
    const compiled = await compileGraph(graph, target, options);
    const own = residentBlock(compiled);
    for (const module of compiled.modules) {
      const name = `${target.id} ${module.variant}`;
      if (runnable([module], thisPlatform(), processorFlags()).length === 0)
        skip(`kernels of ${name}`, 'this processor does not run them', 'unsupported');
      else
        cases.push({
          name,
          compiled,
          load: (threads, weights = own) =>
            NativeEngine.load(compiled.program, [module], weights, { threads, splitAll: true }),
        });
    }
  }
  return cases;
}

async function wasmCases(graph: Graph, target: Target, options: CompileOptions): Promise<EngineCase[]> {
  const compiled = await compileGraph(graph, target, options);
  const own = residentBlock(compiled);
  return compiled.modules.flatMap((module) =>
    wasmVariants(module.variant).map(
      (variant): EngineCase => ({
        name: `${target.id} ${variant}${options.quick ? ', compiled at once' : ''}`,
        compiled,
        load: (threads, weights = own) =>
          WasmEngine.load(compiled.program, [module], weights, { threads, variant, splitAll: true }),
      }),
    ),
  );
}
