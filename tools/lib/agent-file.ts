import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { packageVersion } from '../../sdk/util/package.ts';

/** Largest agent that may ship, bytes. */
export const AGENT_BUDGET = 450_000;

const root = resolve(import.meta.dirname, '../..');

function mqttVersion(): string {
  const { version } = createRequire(import.meta.url)('mqtt/package.json') as { readonly version: string };
  return version;
}

/** Modules that are others in one file. */
const REPLACED: Readonly<Record<string, string>> = {
  // The file has no package.json beside it.
  version: `exports.packageVersion = () => ${JSON.stringify(packageVersion())};`,
  // It is its own thread: see the footer.
  thread: "exports.startThread = () => new (require('node:worker_threads').Worker)(__filename, { execArgv: [] });",
  // Streams of Node in place of a copy of them, and no proxies and no timers of browsers.
  'readable-stream': "module.exports = require('node:stream');",
  socks: 'exports.SocksClient = undefined;',
  'worker-timers': '',
  // Keeps aliases of topics that a client sends; agents send none.
  'lru-cache': 'exports.LRUCache = class extends Map { constructor() { super(); } };',
  // What only browsers and servers use.
  nothing: '',
  // All that is asked of it is the version.
  'mqtt version': `exports.version = ${JSON.stringify(mqttVersion())};`,
  // An agent that was updated lies in the state folder; native parts are where the one that was started is installed.
  koffi: "module.exports = require('node:module').createRequire(process.argv[1])('koffi');",
};

const replace: Plugin = {
  name: 'replace',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/package\.ts$/ }, () => ({ path: 'version', namespace: 'replaced' }));
    onResolve({ filter: /\/thread\.ts$/ }, () => ({ path: 'thread', namespace: 'replaced' }));
    onResolve({ filter: /^\.\/(ali|wx|browser\.js|lib\/websocket-server)$/ }, ({ importer }) =>
      /\/(mqtt|debug|ws)\//.test(importer) ? { path: 'nothing', namespace: 'replaced' } : undefined,
    );
    onResolve({ filter: /\/package\.json$/ }, ({ importer }) =>
      importer.includes('/mqtt/') ? { path: 'mqtt version', namespace: 'replaced' } : undefined,
    );
    onResolve({ filter: /^(koffi|lru-cache|readable-stream|socks|worker-timers)$/ }, ({ path }) => ({
      path,
      namespace: 'replaced',
    }));
    onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({ contents: REPLACED[path]!, loader: 'js' }));
  },
};

/** Writes the file; returns what of it is how large, the largest first. */
export async function buildAgent(outfile: string): Promise<[string, number][]> {
  const { metafile } = await build({
    entryPoints: [resolve(root, 'sdk/device/service/agent-file.ts')],
    absWorkingDir: root,
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    metafile: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [replace],
    banner: { js: '#!/usr/bin/env node' },
    define: { 'import.meta.url': 'undefined' },
    footer: {
      // Whatever is left open, by an agent of any version, does not keep it from being started again.
      js: 'if (require.main === module && require("node:worker_threads").isMainThread) module.exports.main(process.argv.slice(2)).then(process.exit);',
    },
  });
  const [output] = Object.values(metafile.outputs);
  return Object.entries(output!.inputs)
    .map(([name, { bytesInOutput }]): [string, number] => [name, bytesInOutput])
    .sort((a, b) => b[1] - a[1]);
}
