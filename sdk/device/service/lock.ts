import { stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import { codeOf } from '../fs/whole-files.ts';

/**
 * Takes a state folder for this process; the returned function gives it back. The lock is a local socket with the folder's identity as its name, which
 * the system gives to one process at a time and takes back however that ends: nothing is left to be cleaned up after a power cut.
 * @throws EigenError EW1006_STATE_IN_USE.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const { dev, ino } = await stat(folder);
  const name = `eigenweights-${dev}-${ino}`;
  // Only Linux has names that are no files.
  const address = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, address);
  } catch (e) {
    if (codeOf(e) !== 'EADDRINUSE') throw e;
    throw new EigenError('EW1006_STATE_IN_USE', `${folder}: another agent works on this state folder`, {
      hint: 'Stop it first, or give this agent a state folder of its own.',
      details: { folder },
      cause: e,
    });
  }
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen({ path }, () => resolve());
  });
}
