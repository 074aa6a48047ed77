import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { Answer, Message, Reply } from './protocol.ts';

/**
 * Compiles a script to one file that any Node runs, without what loads TypeScript: it would be measured as well. `whole` takes what is
 * used of npm packages into the file, but for compiled ones, as is done for devices.
 */
export async function bundled(root: string, script: string, out: string, whole?: 'whole'): Promise<string> {
  await mkdir(dirname(out), { recursive: true });
  await build({
    entryPoints: [join(root, script)],
    outfile: out,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    ...(whole ? { external: ['koffi'] } : { packages: 'external' }),
    logLevel: 'warning',
  });
  return out;
}

/** As files that are loaded when they are asked for, as those of the package are. Returns the first. */
export async function bundledParts(root: string, script: string, folder: string): Promise<string> {
  await build({
    entryPoints: { main: join(root, script) },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
  return join(folder, 'main.mjs');
}

/** A child that answers one message at a time. */
export class Child {
  private readonly node: string;
  private readonly script: string;
  private readonly env: NodeJS.ProcessEnv;
  private process: ChildProcess | undefined;

  /** `env` is what its environment has more than that of this process. */
  constructor(node: string, script: string, env: Readonly<Record<string, string>> = {}) {
    this.node = node;
    this.script = script;
    this.env = { ...process.env, ...env };
  }

  /** Rejects with what the child says went wrong, or that it died; the next message starts a new one then. */
  ask<M extends Message>(message: M): Promise<Answer<M>> {
    const child = this.process ?? this.start();
    return new Promise((done, fail) => {
      const settle = (): void => {
        child.off('message', onReply);
        child.off('exit', onExit);
      };
      const onReply = (reply: Reply): void => {
        settle();
        if ('error' in reply) fail(new Error(reply.error));
        else done(reply.ok as Answer<M>);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        settle();
        fail(new Error(`the process ended with ${signal ?? `code ${code}`}`));
      };
      child.once('message', onReply);
      child.once('exit', onExit);
      child.send(message);
    });
  }

  stop(): void {
    this.process?.disconnect();
    this.process = undefined;
  }

  private start(): ChildProcess {
    const child = spawn(this.node, [this.script], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: this.env });
    child.once('exit', () => {
      if (this.process === child) this.process = undefined;
    });
    this.process = child;
    return child;
  }
}
