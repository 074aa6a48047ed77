/**
 * How fast weights become what is in memory, in one thread: entropy decoding in WebAssembly of a million codes, normal ones of several
 * spreads, whole and in planes as bundles have them; then of the codes of bundles that are given, and the whole of installing them. A code is
 * a byte, so MB/s are millions of codes a second. Processor time, the least of many rounds. Prints Markdown tables.
 *
 * bench-decode.ts [BUNDLE...]
 */
import { installWeights, readBundle, weightTensorsOf } from '../sdk/bundle/index.ts';
import { pointsOf } from '../sdk/util/nested.ts';
import { sizeOf } from '../sdk/util/tensor.ts';
import { type CodedWeights, decodeCodes, encodeCodes } from '../sdk/wire/codes.ts';
import { normalCodes } from '../test/support/codes.ts';

const ROUNDS = 60;
const [ROWS, COLS] = [500, 2000];
const SPREADS = [0.8, 1.5, 3, 6, 12];

/** Microseconds of processor time. */
function timeOf(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) {
    const start = process.cpuUsage();
    work();
    const used = process.cpuUsage(start);
    best = Math.min(best, used.user + used.system);
  }
  return best;
}

const rate = (codes: number, microseconds: number): string => (codes / microseconds).toFixed(0);

function line(cells: readonly (string | number)[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function millionCodes(): void {
  line(['bits a code', 'whole, MB/s', 'planes', 'in planes, MB/s']);
  line(['---:', '---:', '---:', '---:']);
  for (const spread of SPREADS) {
    const codes = normalCodes(ROWS, COLS, spread, 127);
    const out = new Int8Array(codes.length);
    const timed = ({ base, planes }: CodedWeights): number => timeOf(() => decodeCodes(base, planes, out));
    const whole = encodeCodes(codes, ROWS, COLS);
    const split = encodeCodes(codes, ROWS, COLS, (level, counts) => pointsOf(counts, level));
    const bits = ((8 * whole.base.length) / codes.length).toFixed(1);
    line([bits, rate(codes.length, timed(whole)), split.planes.length, rate(codes.length, timed(split))]);
  }
}

async function bundles(paths: readonly string[]): Promise<void> {
  console.log();
  line(['bundle', 'constants', 'decoded, MB/s', 'installed, MB/s', 'installed, ms']);
  line(['---', '---:', '---:', '---:', '---:']);
  for (const path of paths) {
    const bundle = await readBundle(path);
    const values = bundle.manifest.program.weights.reduce((sum, slot) => sum + sizeOf(slot.shape), 0);
    const decoded = timeOf(() => weightTensorsOf(bundle));
    const installed = timeOf(() => installWeights(bundle));
    line([path, values, rate(values, decoded), rate(values, installed), (installed / 1000).toFixed(1)]);
  }
}

millionCodes();
const paths = process.argv.slice(2);
if (paths.length > 0) await bundles(paths);
