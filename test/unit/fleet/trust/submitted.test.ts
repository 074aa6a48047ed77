import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LIFETIMES, type Signer, signTargets, type TargetsContent } from '../../../../sdk/fleet/trust/index.ts';
import { EigenError } from '../../../../sdk/util/errors.ts';
import { MOST_BYTES } from '../../../../sdk/wire/metadata.ts';
import { KEYS, listed, pathOf, STRANGER, signerOf, World } from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

const OWN = signerOf(61);

/** A fleet whose role 'kws' signs for the boards of a kind. */
async function delegated(paths = ['kws/board/*']): Promise<World> {
  const world = await World.make();
  world.ring.add(OWN);
  await world.repository.delegate({ name: 'kws', paths, keys: [OWN.key], threshold: 1 }, world.ring);
  return world;
}

/** The next file of a role, as its owners would sign it; `change` is what is wrong with it. */
function nextOf(
  world: World,
  { role = 'targets', by = role === 'targets' ? KEYS.targets : [OWN], ...change }: Change = {},
): Uint8Array {
  const present = world.repository.targets(role)!;
  const targets = { ...present.targets, [pathOf(4)]: listed(4) };
  const expires = world.now + LIFETIMES.targets;
  return signTargets({ ...present, version: present.version + 1, targets, expires, ...change }, by);
}

type Change = Partial<TargetsContent> & { readonly role?: string; readonly by?: readonly Signer[] };

async function codeOf(world: World, bytes: Uint8Array, role = 'targets'): Promise<string> {
  return world.repository.readSubmitted(role, bytes).then(
    (found) => (found ? 'taken' : 'there'),
    (e: unknown) => {
      if (e instanceof EigenError) return e.code;
      throw e;
    },
  );
}

test('what was signed elsewhere is believed by devices once it is accepted, and changes nothing twice', async () => {
  const world = await World.make();
  const bytes = nextOf(world);
  const submitted = await world.repository.readSubmitted('targets', bytes);
  assert.is(world.repository.find(pathOf(4)), undefined);
  await world.repository.accept(submitted!, world.ring);
  assert.equal(world.repository.find(pathOf(4)), listed(4));
  assert.is(await codeOf(world, bytes), 'there');
  await world.assign(4);
  const device = await world.device();
  assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(4));
});

test('a role that targets delegate to signs for its own paths', async () => {
  const world = await delegated();
  assert.is(await codeOf(world, nextOf(world, { role: 'kws' }), 'kws'), 'taken');
  assert.is(await codeOf(world, nextOf(world, { role: 'kws', by: KEYS.targets }), 'kws'), 'EW8105_TARGETS_REFUSED');
  const elsewhere = await delegated(['kws/other/*']);
  assert.is(await codeOf(elsewhere, nextOf(elsewhere, { role: 'kws' }), 'kws'), 'EW8105_TARGETS_REFUSED');
  assert.is(await codeOf(world, nextOf(world, { role: 'kws' }), 'nobody'), 'EW8103_ROLES_INVALID');
  await world.repository.undelegate('kws', world.ring);
  assert.is(await codeOf(world, nextOf(world, { role: 'kws' }), 'kws'), 'EW8103_ROLES_INVALID');
});

test('what devices would refuse, or somebody else has signed meanwhile, is not taken', async () => {
  const world = await delegated();
  const { version } = world.repository.targets()!;
  const text = (change: (text: string) => string): Uint8Array =>
    new TextEncoder().encode(change(new TextDecoder().decode(nextOf(world))));
  const [refused, outdated] = ['EW8105_TARGETS_REFUSED', 'EW8106_TARGETS_OUTDATED'];
  const elsewhere = { 'kws/other/kws-4.ewb': listed(4) };
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['nobody has signed it', nextOf(world, { by: [] }), refused],
    ['a stranger has', nextOf(world, { by: [STRANGER] }), refused],
    ['who is online has', nextOf(world, { by: [...KEYS.timestamp, ...KEYS.snapshot, ...KEYS.director] }), refused],
    ['it was changed after that', text((t) => t.replace('"family":"kws"', '"family":"kw5"')), refused],
    ['the version that is there', nextOf(world, { version }), outdated],
    ['an earlier one', nextOf(world, { version: version - 1 }), outdated],
    ['one that leaves some out', nextOf(world, { version: version + 2 }), outdated],
    ['it has expired', nextOf(world, { expires: world.now }), refused],
    ['it trusts nobody any more', nextOf(world, { delegations: [] }), refused],
    ['it lists a bundle for another board', nextOf(world, { targets: elsewhere }), refused],
    ['it lists a path outside', nextOf(world, { targets: { '../../kws': listed(4) } }), refused],
    ['another kind of file', world.repository.root.bytes, refused],
    ['no JSON', new Uint8Array([0xff, 0x7b]), refused],
    ['more than devices take', new Uint8Array(MOST_BYTES.targets + 1), refused],
  ];
  for (const [name, bytes, code] of cases) assert.is(await codeOf(world, bytes), code, name);
  assert.is(await codeOf(world, nextOf(world)), 'taken');
});

test('one key does not count twice', async () => {
  const world = await World.make();
  world.ring.add(OWN);
  const second = signerOf(62);
  world.ring.add(second);
  const both = { name: 'kws', paths: ['kws/*/*'], keys: [OWN.key, second.key], threshold: 2 };
  await world.repository.delegate(both, world.ring);
  const twice = nextOf(world, { role: 'kws', by: [OWN, OWN] });
  assert.is(await codeOf(world, twice, 'kws'), 'EW8105_TARGETS_REFUSED');
  assert.is(await codeOf(world, nextOf(world, { role: 'kws', by: [OWN, second] }), 'kws'), 'taken');
});

test.run();
