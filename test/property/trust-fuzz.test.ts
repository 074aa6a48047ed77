// timeout: 120
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readMetadata } from '../../sdk/fleet/trust/sign.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { leadTo, signAnything } from '../support/forged-metadata.ts';
import { KEYS, World } from '../support/trust-world.ts';
import { blobOf } from '../support/versions.ts';

const world = await World.make();
await world.assign(2);
const served = world.copy();
const VALID = [1, 2, 3].map((version) => blobOf(version).sha256);

/** Whatever is served: it is refused, or a bundle comes out that is listed. */
async function checkServed(
  change: (role: string, bytes: Uint8Array | undefined) => Uint8Array | undefined,
): Promise<void> {
  const device = await world.device();
  try {
    const assignment = await device.refresh(world.source(change), world.now);
    if (assignment) assert.ok(VALID.includes(assignment.blob.sha256));
  } catch (e) {
    if (!isEigenError(e)) throw e;
    assert.is(e.code, 'EW7006_METADATA_REFUSED', e.message);
    assert.ok(typeof e.details.attack === 'string');
    assert.ok(e.message.length < 600, 'what others wrote is quoted at length');
  }
}

const role = fc.constantFrom('root', 'timestamp', 'snapshot', 'targets', 'assignment-device');

test('any bytes, and files with some bytes changed', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const edit = fc.record({ at: fc.nat(4000), bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }), cut: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(role, bytes, fc.option(edit), async (which, anything, changed) => {
      await checkServed((r, found) => {
        if (r !== which) return found;
        // There is no second root: the first one is what is changed.
        const file = found ?? world.fs.files.get('metadata/1.root.json')!;
        if (!changed) return anything;
        const copy = file.slice(0, changed.cut ? changed.at % file.length : file.length);
        copy.set(changed.bytes.subarray(0, copy.length), changed.at % Math.max(1, copy.length - 4));
        return copy;
      });
    }),
    { seed: 1, numRuns: 300 },
  );
});

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    0,
    -1,
    1.5,
    2 ** 53,
    '',
    '..',
    '__proto__',
    'constructor',
    [],
    {},
    true,
    'a'.repeat(5000),
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The JSON with the value at one place, chosen by number, replaced, removed or given another name. */
function changeOne(value: unknown, chosen: { left: number }, odds: unknown, how: number): unknown {
  if (chosen.left-- === 0) return how === 0 ? odds : how === 1 ? undefined : [value, odds];
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => changeOne(item, chosen, odds, how));
  const members = Object.entries(value).map(([key, item]) => {
    if (how === 3 && chosen.left-- === 0) return ['__proto__', item];
    return [key, changeOne(item, chosen, odds, how)];
  });
  return Object.fromEntries(members);
}

test('odd values in what the right keys have signed', async () => {
  await fc.assert(
    fc.asyncProperty(role, fc.nat(150), odd, fc.nat(3), async (which, place, value, how) => {
      world.restore(served);
      const key = which === 'assignment-device' ? 'director' : (which as keyof typeof KEYS);
      const version = which === 'root' ? 1 : await world.folder.newest(which);
      const file = await world.folder.read(which, version || undefined);
      const { signed } = readMetadata(file!.bytes);
      const changed = changeOne({ ...signed, version: version + 1 }, { left: place }, value, how);
      const bytes = signAnything((changed ?? {}) as object, KEYS[key]);
      if (which === 'targets') await leadTo(world, 'targets', { version: version + 1, bytes });
      else if (which === 'snapshot' || which === 'root') await world.folder.write(which, bytes, version + 1);
      else await world.folder.write(which, bytes);
      await checkServed((_, b) => b);
    }),
    { seed: 2, numRuns: 500 },
  );
});

test('nothing is kept of a file that is longer than it may be, and little of one that is not', async () => {
  const deep = `${'['.repeat(8000)}${']'.repeat(8000)}`;
  for (const which of ['root', 'timestamp', 'assignment-device']) {
    const bytes = new TextEncoder().encode(`{"signed":{"_type":"${which}","x":${deep}},"signatures":[]}`);
    await checkServed((r, found) => (r === which ? bytes : found));
    await checkServed((r, found) => (r === which ? new Uint8Array(1 << 24) : found));
  }
});

test.run();
