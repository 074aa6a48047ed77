import type { Bundle } from '../bundle/index.ts';
import type { Sourced } from '../compile/cost.ts';
import { compareSpeed, repeated } from '../measure/benchmark.ts';
import type { Tensor } from '../util/tensor.ts';
import { loadSession } from './session.ts';

/** One run of a bundle on this machine in one thread. */
export async function timeHere(
  bundle: Bundle,
  inputs: Readonly<Record<string, Tensor>>,
  signal?: AbortSignal,
): Promise<Sourced> {
  const session = await loadSession(bundle);
  try {
    const ours = { name: session.engine, run: repeated(session, inputs) };
    const { timings } = await compareSpeed([ours], signal ? { signal } : {});
    const { median, rounds } = timings[0]!;
    return { value: 1000 * median, origin: 'measured', why: `median of ${rounds} turns on this machine` };
  } finally {
    session.close();
  }
}
