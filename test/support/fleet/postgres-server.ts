import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { within } from '../until.ts';

const VERSIONS = '/usr/lib/postgresql';

export interface PostgresServer {
  /** With a role that may do everything. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A PostgreSQL server of Debian's, empty, on a free port; undefined where none is installed. */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const [version] = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort().reverse() : [];
  if (version === undefined) return undefined;
  const program = (name: string): string => join(VERSIONS, version, 'bin', name);
  const folder = mkdtempSync(join(tmpdir(), 'eigen-postgres-'));
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const port = await freePort();
  const data = join(folder, 'data');
  execFileSync(program('initdb'), ['-D', data, '-U', 'eigen', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'], {
    ...user,
    cwd: folder,
    stdio: 'pipe',
  });
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'max_connections=60',
  ];
  const server = spawn(program('postgres'), ['-D', data, ...settings.flatMap((s) => ['-c', s])], {
    ...user,
    cwd: folder,
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  await ready(program('pg_isready'), port);
  return {
    url: `postgres://eigen@127.0.0.1:${port}/postgres`,
    async stop() {
      server.kill('SIGINT');
      await within('PostgreSQL ends', ended).catch(() => server.kill('SIGKILL'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function idOf(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function ready(program: string, port: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      execFileSync(program, ['-h', '127.0.0.1', '-p', String(port), '-q']);
      return;
    } catch (e) {
      if (attempt === 900) throw e;
      await promisify(setTimeout)(100);
    }
  }
}
