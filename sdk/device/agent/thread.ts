import { Worker } from 'node:worker_threads';

/** Starts a thread that opens bundles; the agent in one file starts itself. */
export function startThread(): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./open-thread.js', import.meta.url));
  // From the sources a thread has to be taught TypeScript first, as this one was.
  const [loader, file] = [import.meta.resolve('tsx/esm/api'), new URL('./open-thread.ts', import.meta.url)];
  const program = `import('${loader}').then(({ register }) => { register(); return import('${file}'); });`;
  return new Worker(program, { eval: true, execArgv: [] });
}
