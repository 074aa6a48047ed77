import type { Bundle } from '../bundle/index.ts';
import { goldenSetOf } from '../device/golden.ts';
import { type Graph, producersOf } from '../ir/graph.ts';
import { opOf } from '../ir/ops/index.ts';
import { EigenError } from '../util/errors.ts';
import { sha256OfTensor } from '../util/hash.ts';
import { numberAt, type Tensor } from '../util/tensor.ts';
import type { Run, SelfTest } from './self-test.ts';

/** Of an output's largest magnitude: what operators that round may differ by. */
const ROUNDING = 1e-5;

/**
 * Golden inputs through the reference engine. Outputs that do not have the hash in the bundle are compared with those of kernels
 * which do (loaded only then, and tested first): to the bit where all operators on the way are exact, else to within 1e-5 of the largest magnitude.
 */
export async function testReference(
  bundle: Bundle,
  graph: Graph,
  run: Run,
  kernels: () => Promise<{ readonly engine: string; readonly run: Run }>,
): Promise<SelfTest> {
  const set = goldenSetOf(bundle);
  const allowed = new Map(set.outputs.map((name) => [name, isExact(graph, name) ? 0 : ROUNDING]));
  let largestError = 0;
  let comparison: SelfTest['comparison'] = 'hashes';
  for (let i = 0; i < set.count; i++) {
    const got = await run(set.inputs(i));
    const other = set.outputs.filter((name) => sha256OfTensor(got[name]!) !== set.expected(i, name));
    if (other.length === 0) continue;
    comparison = 'kernels';
    const { engine, run: runKernels } = await kernels();
    const expected = await runKernels(set.inputs(i));
    for (const name of other) {
      const error = relativeError(got[name]!, expected[name]!);
      largestError = Math.max(largestError, error);
      if (error <= allowed.get(name)!) continue;
      throw new EigenError(
        'EW6004_SELF_TEST_FAILED',
        `golden input ${i}: output '${name}' of the reference engine differs from ${engine} by ${error.toExponential(1)} of its largest magnitude, allowed is ${allowed.get(name)}`,
        {
          hint: 'The kernels of the bundle compute something else than its graph: report it with the model.',
          details: { sample: i, output: name, error, allowed: allowed.get(name) },
        },
      );
    }
  }
  const allowedError = Math.max(0, ...allowed.values());
  return { cases: set.count, outputs: set.outputs, comparison, largestError, allowedError };
}

/** Whether every operator that an output depends on gives the same bits everywhere. */
function isExact(graph: Graph, output: string): boolean {
  const producers = producersOf(graph);
  const seen = new Set<string>();
  const open = [output];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producers.get(name);
    if (!node || seen.has(node.name)) continue;
    seen.add(node.name);
    if (opOf(node.op).tolerance !== 'exact') return false;
    open.push(...node.inputs);
  }
  return true;
}

/** Largest difference of two outputs relative to the largest magnitude of the expected one; infinite when they cannot be compared. */
export function relativeError(got: Tensor, expected: Tensor): number {
  if (got.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  let [difference, magnitude] = [0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [numberAt(got, i), numberAt(expected, i)];
    if (Object.is(a, b)) continue;
    const d = Math.abs(a - b);
    if (Number.isNaN(d)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, d);
  }
  for (let i = 0; i < expected.data.length; i++) magnitude = Math.max(magnitude, Math.abs(numberAt(expected, i)));
  return magnitude === 0 ? difference : difference / magnitude;
}
