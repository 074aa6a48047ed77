import { Ledger } from '../../../sdk/device/agent/ledger.ts';
import { withFile, writeFully } from '../../../sdk/device/fs/whole-files.ts';
import { AppendLog } from '../../../sdk/device/store/append-log.ts';
import { Pointer } from '../../../sdk/device/store/pointer.ts';
import { MemoryDeviceFileSystem } from '../../../sdk/testing/memory-device-fs.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import type { Rng } from '../../../sdk/util/rng.ts';
import { mutated, mutatedTree, oneOf } from './mutate.ts';
import type { Fate, FuzzTarget } from './target.ts';

/** What a device has on a medium that rots, tears writes, and was written by another version. */

const ENTRIES: readonly object[] = [
  { kind: 'step', step: 'FETCH', sha256: 'a'.repeat(64), at: 5 },
  {
    kind: 'failed',
    failure: {
      sha256: 'b',
      release: 1,
      attempts: 2,
      at: 7,
      step: 'GATE',
      code: 'EIO',
      reason: 'it broke',
      poisoned: true,
    },
  },
  { kind: 'committed', sha256: 'a'.repeat(64), release: 3, at: 9 },
  { kind: 'reported' },
  { kind: 'delta', sha256: 'c', reason: 'no delta' },
  { kind: 'summary', failures: [], deltas: [{ kind: 'delta', sha256: 'c', reason: 'no delta' }] },
];

function lineOf(value: unknown, digits: number): string {
  const json = JSON.stringify(value) ?? 'null';
  return `${sha256(json).slice(0, digits)} ${json}\n`;
}

const JOURNAL = new TextEncoder().encode(ENTRIES.map((e) => lineOf(e, 16)).join(''));
const WRITTEN = new Set(ENTRIES.map((e) => JSON.stringify(e)));

async function mediumWith(files: Readonly<Record<string, Uint8Array>>): Promise<MemoryDeviceFileSystem> {
  const fs = new MemoryDeviceFileSystem();
  for (const [path, bytes] of Object.entries(files))
    await withFile(fs, path, 'write', (file) => writeFully(file, 0, bytes));
  return fs;
}

const journals: FuzzTarget = {
  name: 'journals',
  share: 60,
  async once(rng) {
    const fs = await mediumWith({ journal: mutated(JOURNAL, [JOURNAL], rng) });
    const { log, entries } = await AppendLog.open(fs, 'journal', isObject);
    const made = entries.find((e) => !WRITTEN.has(JSON.stringify(e)));
    if (made) throw new Error(`an entry that was never written: ${JSON.stringify(made)}`);
    const added = { kind: 'reported' };
    await log.append(added);
    const again = await AppendLog.open(fs, 'journal', isObject);
    if (again.entries.length !== entries.length + 1) throw new Error('an entry is lost that was there');
    return entries.length === ENTRIES.length ? 'taken' : 'refused';
  },
};

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A journal of entries that are right by their checksums and odd in themselves. */
function oddJournal(rng: Rng): Uint8Array {
  const lines = ENTRIES.map((e) => lineOf(rng.below(2) === 0 ? e : mutatedTree(e, rng), 16));
  return new TextEncoder().encode(lines.join(''));
}

const ledgers: FuzzTarget = {
  name: 'entries of journals',
  share: 20,
  async once(rng): Promise<Fate> {
    const fs = await mediumWith({ journal: oddJournal(rng) });
    const ledger = await Ledger.open(fs, 'journal');
    const failure = {
      sha256: 'd',
      release: 1,
      at: 5,
      step: 'FETCH',
      code: '',
      reason: 'none',
      poisoned: false,
    } as const;
    await ledger.fail(failure);
    const later = await Ledger.open(fs, 'journal');
    if (later.failureOf('d')?.attempts !== 1) throw new Error('a failure is not remembered');
    return 'taken';
  },
};

const STATES = [1, 2].map((value) => ({ value, name: 'x'.repeat(20 * value) }));
const COPIES = STATES.map((state, i) => new TextEncoder().encode(lineOf({ sequence: i + 1, state }, 64)));

const pointers: FuzzTarget = {
  name: 'pointers',
  share: 30,
  async once(rng) {
    const [first, second] = COPIES as [Uint8Array, Uint8Array];
    const hurt = rng.below(3);
    const fs = await mediumWith({
      'pointer.0': hurt === 1 ? first : mutated(first, COPIES, rng),
      'pointer.1': hurt === 0 ? second : mutated(second, COPIES, rng),
    });
    const pointer = await Pointer.open<(typeof STATES)[number]>(fs, '.');
    const { state } = pointer;
    if (state && !STATES.some((s) => JSON.stringify(s) === JSON.stringify(state)))
      throw new Error(`a state that was never written: ${JSON.stringify(state)}`);
    if (hurt < 2 && !state) throw new Error('a copy was whole and is not found');
    const next = oneOf(STATES, rng);
    await pointer.write(next);
    const { state: found } = await Pointer.open<(typeof STATES)[number]>(fs, '.');
    if (JSON.stringify(found) !== JSON.stringify(next)) throw new Error('what was written is not what is found');
    return state ? 'taken' : 'refused';
  },
};

export const STORE_TARGETS: readonly FuzzTarget[] = [journals, ledgers, pointers];
