import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import type { LoadedModel, ModelLoader } from '../agent/model.ts';
import { AGENT_STORE } from './boot.ts';

/** Time that an agent may take to say that it could run, milliseconds. */
const CHECK_TIMEOUT = 60_000;

/**
 * Agents in one file each, as something that the steps of an update know: what is golden of an agent is that it starts on this device,
 * reads the configuration, and says so. It runs from the next start on.
 */
export function agentLoader(state: string, configFile: string): ModelLoader {
  return {
    async load(bytes): Promise<LoadedModel> {
      const file = join(state, AGENT_STORE.slots, 'blobs', sha256(bytes));
      return {
        signature: { inputs: [], outputs: [] },
        modelBytes: bytes.length,
        run: () => Promise.reject(new Error('an agent has no inputs')),
        runGolden: async () => [await check(file, configFile)],
        close: () => undefined,
      };
    },
  };
}

/** Milliseconds that it took. */
function check(file: string, configFile: string): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const words = [file, '--check', '--config', configFile];
    execFile(process.execPath, words, { timeout: CHECK_TIMEOUT }, (e, _stdout, stderr) => {
      if (!e) return resolve(performance.now() - from);
      const reason = stderr.trim().split('\n').at(-1) || e.message;
      reject(
        new EigenError('EW7005_GATE_FAILED', `the new agent does not start here: ${reason.slice(0, 300)}`, {
          hint: 'The one that was running still is. Assign one that was built for the Node of this device.',
          cause: e,
        }),
      );
    });
  });
}
