import { posix } from 'node:path';
import { importsOf } from './imports.ts';

/**
 * The dependency rule: what the files of each folder (or single file) may import, besides their own folder. The longest entry
 * that matches a path decides. ARCHITECTURE.md prints the same table for people.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'sdk/util': [],
  'sdk/data': ['sdk/util'],
  'sdk/ir': ['sdk/util'],
  'sdk/model': ['sdk/ir', 'sdk/util'],
  'sdk/compress': ['sdk/ir', 'sdk/util'],
  'sdk/wire': ['sdk/util'],
  'sdk/compile': ['sdk/ir', 'sdk/wire', 'sdk/util'],
  'sdk/bundle': ['sdk/wire', 'sdk/util'],
  'sdk/deploy': ['sdk/bundle', 'sdk/wire', 'sdk/util'],
  'sdk/transport': ['sdk/util'],
  'sdk/device': ['sdk/transport', 'sdk/wire', 'sdk/bundle', 'sdk/util'],
  'sdk/fleet': ['sdk/deploy', 'sdk/transport', 'sdk/bundle', 'sdk/wire', 'sdk/util'],
  'sdk/measure': ['sdk/util'],
  'sdk/report': ['sdk/util'],
  'sdk/runner.ts': ['sdk/compile', 'sdk/compress', 'sdk/device', 'sdk/wire', 'sdk/ir', 'sdk/util'],
  'sdk/tune.ts': ['sdk/compile', 'sdk/device', 'sdk/ir', 'sdk/util'],
  'sdk/tune-here.ts': ['sdk/tune.ts', 'sdk/runner.ts', 'sdk/compile', 'sdk/device', 'sdk/wire', 'sdk/ir', 'sdk/util'],
  'sdk/contents.ts': [
    'sdk/compile',
    'sdk/compress',
    'sdk/bundle',
    'sdk/device',
    'sdk/runner.ts',
    'sdk/wire',
    'sdk/ir',
    'sdk/data',
    'sdk/util',
  ],
  'sdk/pipeline.ts': ['sdk', 'targets/index.ts'],
  'sdk/app': ['sdk', 'targets/index.ts'],
  'sdk/index.ts': ['sdk'],
  'sdk/cli': ['sdk/index.ts', 'sdk/util'],
  'sdk/testing': ['sdk'],
  'targets/index.ts': ['targets', 'sdk/compile'],
  targets: ['sdk/compile', 'sdk/ir', 'sdk/wire', 'sdk/util'],
  examples: [],
};

/** What the public API is made of: a command imports the modules it uses from there, since loading all takes memory and time. */
const API = 'sdk/index.ts';

/** Folders that only tests and the command line may stand on: never imported by the rest of the SDK, whatever LAYERS allows. */
const TOP = ['sdk/cli', 'sdk/testing'];

/** What runs on a device must not pull in the compiler side, not even through another folder. */
export const UNREACHABLE: readonly { from: string; never: readonly string[] }[] = [
  'sdk/wire',
  'sdk/bundle',
  'sdk/device',
].map((from) => ({
  from,
  never: ['sdk/ir', 'sdk/model', 'sdk/compress', 'sdk/compile', 'sdk/fleet', 'targets'],
}));

/** npm packages and who may import them. Whatever is not listed may not be imported by sdk/ or targets/. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@bufbuild/protobuf': ['sdk/model/onnx', 'sdk/testing'],
  '@electric-sql/pglite': ['sdk/fleet'],
  '@hono/node-server': ['sdk/fleet'],
  '@peculiar/x509': ['sdk/fleet', 'sdk/device'],
  '@tufjs/models': ['sdk/fleet', 'sdk/device'],
  '@valibot/to-json-schema': ['sdk/fleet/api'],
  '@yowasp/clang': ['sdk/compile/toolchain', 'targets/wasm'],
  koffi: ['sdk/device/engine'],
  aedes: ['sdk/fleet'],
  fflate: ['sdk/util', 'sdk/bundle'],
  hono: ['sdk/fleet'],
  mqtt: ['sdk/transport'],
  'mqtt-packet': ['sdk/transport', 'sdk/fleet/broker'],
  'onnxruntime-web': ['sdk/measure/oracle'],
  pg: ['sdk/fleet'],
  picocolors: ['sdk/cli'],
  'prom-client': ['sdk/fleet'],
  'reflect-metadata': ['sdk/fleet'],
  serialport: ['sdk/deploy', 'sdk/device'],
  valibot: ['sdk/ir', 'sdk/compile', 'sdk/bundle', 'sdk/wire', 'sdk/device', 'sdk/deploy', 'sdk/fleet', 'sdk/cli'],
};

/** Used when the user installed them; imported dynamically, never declared. */
export const OPTIONAL_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-node': ['sdk/measure/oracle'],
};

/** Path from the project root, forward slashes -> source text. */
export type Sources = ReadonlyMap<string, string>;

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

interface Edge {
  readonly file: string;
  readonly line: number;
  readonly to: string;
}

/** The dependencies of package.json. What ships may use `runtime` only; examples also `dev`. */
export interface Declared {
  readonly runtime: ReadonlySet<string>;
  readonly dev: ReadonlySet<string>;
}

/** Checks every source against the rules above. */
export function checkLayers(sources: Sources, declared: Declared): Violation[] {
  const violations: Violation[] = [];
  const edges: Edge[] = [];
  const api = new Set(
    importsOf(sources.get(API) ?? '').map(({ specifier }) => posix.join(posix.dirname(API), specifier)),
  );
  for (const [file, text] of sources) {
    if (layerOf(file) === undefined) {
      violations.push({ file, line: 1, message: `no rule for this folder: add it to LAYERS in tools/lib/layers.ts` });
      continue;
    }
    for (const { specifier, line } of importsOf(text)) {
      if (specifier.startsWith('.')) {
        const to = posix.normalize(posix.join(posix.dirname(file), specifier));
        edges.push({ file, line, to });
        const message = relativeProblem(file, to);
        if (message && !(inside(file, 'sdk/cli') && api.has(to))) violations.push({ file, line, message });
      } else {
        const message = packageProblem(file, specifier, declared);
        if (message) violations.push({ file, line, message });
      }
    }
  }
  return [...violations, ...unreachableProblems(edges), ...cycleProblems(edges)];
}

function inside(path: string, area: string): boolean {
  return path === area || path.startsWith(`${area}/`);
}

/** The longest LAYERS entry that a path is in. */
export function layerOf(path: string): string | undefined {
  let best: string | undefined;
  for (const area of Object.keys(LAYERS)) if (inside(path, area) && area.length > (best?.length ?? -1)) best = area;
  return best;
}

/** targets/<id> and examples/<name> are separate units that share one rule. */
function unitOf(path: string): string | undefined {
  const layer = layerOf(path);
  if (layer !== 'targets' && layer !== 'examples') return layer;
  return path.split('/').slice(0, 2).join('/');
}

function relativeProblem(file: string, to: string): string | undefined {
  const layer = layerOf(file)!;
  if (unitOf(file) === unitOf(to)) return undefined;
  const top = TOP.find((t) => inside(to, t));
  if (top && !inside(file, 'sdk/cli') && !inside(file, 'sdk/testing')) return `${layer} may not import ${to}`;
  if (LAYERS[layer]!.some((area) => inside(to, area))) return undefined;
  const allowed = LAYERS[layer]!.join(', ') || 'nothing outside itself';
  return `${unitOf(file)} may not import ${to} (allowed: ${allowed})`;
}

function packageProblem(file: string, specifier: string, declared: Declared): string | undefined {
  if (specifier.startsWith('node:')) return undefined;
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  if (inside(file, 'examples')) {
    const known = name === 'eigenweights' || declared.runtime.has(name) || declared.dev.has(name);
    return known ? undefined : `package ${name} is not in package.json`;
  }
  const optional = OPTIONAL_PACKAGES[name];
  if (!optional && !declared.runtime.has(name)) return `package ${name} is not in the dependencies of package.json`;
  const users = optional ?? PACKAGES[name];
  if (users?.some((area) => inside(file, area))) return undefined;
  return `package ${name} may only be imported by ${users?.join(', ') ?? 'nobody: add it to PACKAGES in tools/lib/layers.ts'}`;
}

function unreachableProblems(edges: readonly Edge[]): Violation[] {
  const out: Violation[] = [];
  const next = groupBy(edges, (e) => e.file);
  for (const { from, never } of UNREACHABLE) {
    for (const start of next.keys()) {
      if (!inside(start, from)) continue;
      const path = findPath(next, start, (file) => never.some((n) => inside(file, n)));
      if (path)
        out.push({
          file: start,
          line: path[0]!.line,
          message: `${from} reaches ${path.map((e) => e.to).join(' -> ')}`,
        });
    }
  }
  return out;
}

function findPath(
  next: ReadonlyMap<string, Edge[]>,
  start: string,
  bad: (file: string) => boolean,
): Edge[] | undefined {
  const seen = new Set([start]);
  let frontier: Edge[][] = (next.get(start) ?? []).map((e) => [e]);
  while (frontier.length > 0) {
    const grown: Edge[][] = [];
    for (const path of frontier) {
      const at = path[path.length - 1]!.to;
      if (bad(at)) return path;
      if (seen.has(at)) continue;
      seen.add(at);
      for (const e of next.get(at) ?? []) grown.push([...path, e]);
    }
    frontier = grown;
  }
  return undefined;
}

/** Cycles between units (folders), found on the imports as they are, whatever the table says. */
function cycleProblems(edges: readonly Edge[]): Violation[] {
  const between = edges
    .map((e) => ({ from: unitOf(e.file), to: unitOf(e.to), edge: e }))
    .filter((u) => u.from !== undefined && u.to !== undefined && u.from !== u.to);
  const next = groupBy(
    between.map((u) => ({ file: u.from!, line: u.edge.line, to: u.to! })),
    (e) => e.file,
  );
  const out: Violation[] = [];
  const reported = new Set<string>();
  for (const unit of next.keys()) {
    const path = findPath(next, unit, (at) => at === unit);
    if (!path) continue;
    const key = [...new Set(path.map((e) => e.to))].sort().join(' ');
    if (reported.has(key)) continue;
    reported.add(key);
    const first = between.find((u) => u.from === path[0]!.file && u.to === path[0]!.to)!.edge;
    out.push({
      file: first.file,
      line: first.line,
      message: `cycle between folders: ${[unit, ...path.map((e) => e.to)].join(' -> ')}`,
    });
  }
  return out;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const out = new Map<string, T[]>();
  for (const item of items) {
    const list = out.get(key(item));
    if (list) list.push(item);
    else out.set(key(item), [item]);
  }
  return out;
}
