/** One contestant in a process of its own: opens models, takes turns, tells the times (see protocol.ts). Ends with its parent. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ProfileRow } from '../../sdk/app/profile-bundle.ts';
import type { BundleSession } from '../../sdk/app/session.ts';
import {
  type EngineName,
  openOracle,
  openSession,
  profileBundle,
  readArrays,
  type Tensor,
  writeArrays,
} from '../../sdk/index.ts';
import { repeated } from '../../sdk/measure/benchmark.ts';
import { openModel } from '../../sdk/pipeline.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';
import { type Guard, guardOf } from './avx2/guard.ts';
import { openControl } from './control.ts';
import { pinning } from './pin.ts';
import type { Answer, Gauge, Message, Opened, OpenMessage, Reply, Turn, TurnMessage } from './protocol.ts';
import { spreadOf } from './results.ts';
import { openTf } from './tfjs.ts';

/** Before the first turn: compilers of JavaScript and WebAssembly replace their first code. */
const WARM_MS = 400;
/** Inferences are timed together up to this: reading the clock costs a small part of it. */
const BATCH_MS = 0.5;
const CALIBRATION = 250_000;
/** Calibrations by which processors are compared, each. */
const GAUGES = 5;

type Outputs = Readonly<Record<string, Tensor>>;

interface Open {
  readonly detail: string;
  run(): Promise<Outputs>;
  /** A run that tells how many seconds the layer took that was asked for. */
  runLayer?(): number;
  profile?(): Promise<readonly ProfileRow[]>;
  close(): unknown;
}

interface State extends Open {
  readonly digest: string;
  readonly guard?: Guard;
}

let state: State | undefined;

async function openFile(m: OpenMessage, path: string): Promise<Open> {
  const inputs = await readArrays(m.inputs);
  if (m.runtime === 'ours') {
    const engine = m.engine as EngineName;
    const session = await openSession(path, { engine, threads: m.threads });
    return {
      detail: session.engine,
      run: repeated(session, inputs),
      ...(m.layer === undefined ? {} : { runLayer: layerOf(session, inputs, m.layer) }),
      // On the golden inputs: times of kernels do not depend on values.
      profile: async () => (await profileBundle({ bundle: path, engine })).rows,
      close: () => session.close(),
    };
  }
  if (m.runtime === 'control') {
    const control = await openControl(m.engine as EngineName, m.threads ?? 1);
    const rounds = Number(inputs.rounds!.data[0]);
    return { detail: 'control', run: async () => control.run(rounds), close: () => control.close() };
  }
  if (m.runtime === 'tfjs') {
    const { dims, set } = m;
    const { graph } = await openModel({ path, ...(dims ? { dims } : {}), ...(set ? { set } : {}) });
    const translated = await openTf(graph, m.from!);
    return {
      detail: `tfjs ${translated.version}`,
      run: async () => translated.run(inputs),
      close: () => translated.close(),
    };
  }
  const oracle = await openOracle(m.runtime, await readFile(path), m.from === undefined ? {} : { from: m.from });
  const form = /int8-(\w+)/.exec(basename(path));
  const told = m.shim === undefined ? '' : ', told of a processor without AVX-512 and AVX-VNNI';
  const detail = `${oracle.name} ${oracle.version}${form ? `, int8: ${form[1]}` : ''}${told}`;
  return { detail, run: repeated(oracle, inputs), close: () => oracle.close() };
}

function layerOf(session: BundleSession, inputs: Outputs, node: string): () => number {
  const belongs = session.bundle.manifest.program.steps.map((s) => s.node === node);
  return () => {
    let [ms, before] = [0, performance.now()];
    session.runSteps(inputs, (step) => {
      const now = performance.now();
      if (belongs[step]) ms += now - before;
      before = now;
    });
    return ms / 1000;
  };
}

/** The fastest of the forms of a model; opened one after another, timed when warm. */
async function openFastest(m: OpenMessage): Promise<Open> {
  let best: { readonly open: Open; readonly seconds: number } | undefined;
  for (const path of m.paths) {
    const open = await openFile(m, path);
    const { seconds } = m.paths.length > 1 ? await timed(open, WARM_MS) : { seconds: 0 };
    if (best && best.seconds <= seconds) {
      await open.close();
      continue;
    }
    await best?.open.close();
    best = { open, seconds };
  }
  return best!.open;
}

/**
 * Time of one inference, after one that is not counted: the median over the turn's batches, so that what takes the core away for a
 * moment is not counted as work.
 */
async function timed({ run }: Open, ms: number): Promise<{ seconds: number; last: Outputs }> {
  let last = await run();
  const batches: number[] = [];
  const start = performance.now();
  for (let now = start; now - start < ms; ) {
    const began = now;
    let runs = 0;
    do {
      last = await run();
      runs++;
      now = performance.now();
    } while (now - began < BATCH_MS);
    batches.push((now - began) / runs / 1000);
  }
  return { seconds: spreadOf(batches).median, last };
}

/** The same of the layer that the model was opened with, a run at a time. */
async function timedLayer({ run, runLayer }: Open, ms: number): Promise<{ seconds: number; last: Outputs }> {
  if (!runLayer) throw new Error('the model was opened without a layer');
  runLayer();
  const times: number[] = [];
  const start = performance.now();
  while (performance.now() - start < ms) times.push(runLayer());
  return { seconds: spreadOf(times).median, last: await run() };
}

function digestOf(outputs: Outputs): string {
  return sha256(
    ...Object.keys(outputs)
      .sort()
      .map((name) => bytesOf(outputs[name]!.data)),
  );
}

async function open(m: OpenMessage): Promise<Opened> {
  await close();
  // Threads that it starts may run where they like.
  places?.release();
  const guard = m.shim === undefined ? undefined : await guardOf(m.shim);
  const opened = await openFastest(m);
  // Theirs asks when it is loaded, ours never.
  if (guard && m.runtime !== 'ours' && guard.answered() === 0)
    throw new Error('it asked what the processor has in a way that is not answered here');
  const outputs = await watched(guard, opened.run);
  await writeArrays(m.outputs, outputs);
  state = { ...opened, digest: digestOf(outputs), ...(guard ? { guard } : {}) };
  await timed(opened, WARM_MS);
  return { detail: state.detail, digest: state.digest };
}

function watched<T>(guard: Guard | undefined, work: () => Promise<T>): Promise<T> {
  return guard ? guard.watch(work) : work();
}

/**
 * Integer arithmetic in registers: its time tells of the clock and of who else is on the core, and of nothing that a model does. Six chains
 * side by side, so that it wants as much of the core as kernels do: one alone waits for itself most of the time.
 */
let sink = 1;
function calibrate(): number {
  const start = performance.now();
  let [a, b, c, d, e, f] = [sink | 1, sink | 2, sink | 4, sink | 8, sink | 16, sink | 32];
  for (let i = 0; i < CALIBRATION; i++) {
    a ^= a << 13;
    b ^= b << 13;
    c ^= c << 13;
    d ^= d << 13;
    e ^= e << 13;
    f ^= f << 13;
    a ^= a >>> 17;
    b ^= b >>> 17;
    c ^= c >>> 17;
    d ^= d >>> 17;
    e ^= e >>> 17;
    f ^= f >>> 17;
    a ^= a << 5;
    b ^= b << 5;
    c ^= c << 5;
    d ^= d << 5;
    e ^= e << 5;
    f ^= f << 5;
  }
  sink = a ^ b ^ c ^ d ^ e ^ f;
  return (performance.now() - start) / 1000;
}

/** Every output that is timed is one that was compared: the last of a turn must have the bits of the first. */
async function turn({ ms, layer, processor }: TurnMessage): Promise<Turn> {
  const model = opened();
  if (processor !== undefined) places?.pin(processor);
  const before = calibrate();
  const used = process.cpuUsage();
  const start = performance.now();
  const { seconds, last } = await watched(model.guard, () => (layer ? timedLayer : timed)(model, ms));
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(used);
  if (digestOf(last) !== model.digest) throw new Error('the outputs of a timed run differ from those of the first one');
  return { seconds, calibration: Math.max(before, calibrate()), share: (user + system) / 1000 / elapsed };
}

/** On one processor after another, several times: the median of each. */
function gauge(): Gauge[] {
  if (!places) return [];
  const seconds = places.processors.map((): number[] => []);
  for (let round = 0; round < GAUGES; round++) {
    for (const [i, processor] of places.processors.entries()) {
      places.pin(processor);
      seconds[i]!.push(calibrate());
    }
  }
  places.release();
  return places.processors.map((processor, i) => ({ processor, seconds: spreadOf(seconds[i]!).median }));
}

async function profile(): Promise<readonly ProfileRow[]> {
  const layers = opened().profile;
  if (!layers) throw new Error('only ours tells of its layers');
  return layers();
}

function opened(): State {
  if (!state) throw new Error('nothing is open');
  return state;
}

async function close(): Promise<null> {
  await state?.close();
  state = undefined;
  return null;
}

async function answer(m: Message): Promise<Answer<Message>> {
  switch (m.type) {
    case 'open':
      return open(m);
    case 'turn':
      return turn(m);
    case 'gauge':
      return gauge();
    case 'profile':
      return profile();
    case 'close':
      return close();
  }
}

const places = await pinning();
for (let i = 0; i < 20; i++) calibrate();
process.on('message', (m: Message) => {
  answer(m).then(
    (ok) => process.send!({ ok } satisfies Reply),
    (cause: unknown) =>
      process.send!({ error: cause instanceof Error ? cause.message : String(cause) } satisfies Reply),
  );
});
process.on('disconnect', () => process.exit(0));
