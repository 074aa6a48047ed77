import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { encodeListed, formatTime, MOST_DELEGATIONS } from '../../../../sdk/wire/metadata.ts';
import { forgeTargets, leadTo, signAnything } from '../../../support/forged-metadata.ts';
import { assertRefused, DAY, KEYS, listed, pathOf, START, signerOf, World } from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

/** From a role to another; for all paths and with a way back unless it says otherwise. */
interface Edge {
  readonly from: string;
  readonly to: string;
  readonly paths?: readonly string[];
  readonly path_hash_prefixes?: readonly string[];
  readonly terminating?: boolean;
}

const edge = (from: string, to: string, more: Omit<Edge, 'from' | 'to'> = {}): Edge => ({ from, to, ...more });
const last = { terminating: true };
const none = { paths: ['other/*/*'] };

/** The graphs of the conformance suite of TUF, and the roles that are looked through, in order. */
const GRAPHS: readonly { readonly name: string; readonly edges: readonly Edge[]; readonly visited: string }[] = [
  { name: 'one delegation', edges: [edge('targets', 'A')], visited: 'A' },
  { name: 'two delegations', edges: [edge('targets', 'A'), edge('targets', 'B')], visited: 'A B' },
  {
    name: 'two levels',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C')],
    visited: 'A B C',
  },
  {
    name: 'two levels, depth first',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C'), edge('A', 'D')],
    visited: 'A C D B',
  },
  {
    name: 'three levels, depth first',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C'), edge('C', 'D')],
    visited: 'A C D B',
  },
  {
    name: 'a last word ends what comes beside it',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C', last), edge('A', 'D')],
    visited: 'A C',
  },
  {
    name: 'a last word leaves what is below it',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C', last), edge('C', 'D'), edge('C', 'E')],
    visited: 'A C D E',
  },
  {
    name: 'other paths are not gone down',
    edges: [edge('targets', 'A', none), edge('targets', 'B'), edge('A', 'C')],
    visited: 'B',
  },
  {
    name: 'other paths are not gone down on the second level',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('A', 'C', none), edge('C', 'D')],
    visited: 'A B',
  },
  {
    name: 'a last word about other paths is none',
    edges: [edge('targets', 'A', { ...none, ...last }), edge('targets', 'B')],
    visited: 'B',
  },
  {
    name: 'a circle',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('C', 'D'), edge('D', 'B')],
    visited: 'A B C D',
  },
  {
    name: 'two ways to one role',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('A', 'C')],
    visited: 'A C B',
  },
  {
    name: 'two ways to one role, one for other paths',
    edges: [edge('targets', 'A'), edge('targets', 'B'), edge('B', 'C'), edge('A', 'C', none)],
    visited: 'A B C',
  },
  {
    name: 'paths by their hash',
    edges: [
      edge('targets', 'A', { path_hash_prefixes: ['00000000'] }),
      edge('targets', 'B', { path_hash_prefixes: [...'0123456789abcdef'] }),
    ],
    visited: 'B',
  },
];

const KEY = signerOf(61);
const KEYS_JSON = { [KEY.key.id]: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: KEY.key.hex } } };

function delegationsOf(role: string, edges: readonly Edge[]): object {
  const roles = edges
    .filter((e) => e.from === role)
    .map(({ to, paths, path_hash_prefixes, terminating = false }) => ({
      ...{ name: to, keyids: [KEY.key.id], threshold: 1, terminating },
      ...(path_hash_prefixes ? { path_hash_prefixes } : { paths: paths ?? ['kws/*/*'] }),
    }));
  return roles.length > 0 ? { delegations: { keys: KEYS_JSON, roles } } : {};
}

/** A fleet whose targets are a graph; `lists` is the role with the bundle. */
async function fleetWith(edges: readonly Edge[], lists?: string): Promise<World> {
  const world = await World.make();
  const bundle = { [pathOf(1)]: encodeListed(listed(1)) };
  const base = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: formatTime(START + 9 * DAY) };
  for (const role of new Set(edges.map((e) => e.to))) {
    const signed = { ...base, targets: role === lists ? bundle : {}, ...delegationsOf(role, edges) };
    await leadTo(world, role, { version: 1, bytes: signAnything(signed, [KEY]) });
  }
  await forgeTargets(world, 'targets', {
    change: { targets: {}, ...delegationsOf('targets', edges) },
    by: KEYS.targets,
  });
  return world;
}

/** Roles that a device fetches while it looks for the bundle; the outcome of that. */
async function look(world: World): Promise<{ visited: string; found: Promise<string | undefined> }> {
  const device = await world.device(new CrashFileSystem());
  const visited: string[] = [];
  const source = world.source((role, bytes) => {
    if (/^[A-Z]\d*$/.test(role)) visited.push(role);
    return bytes;
  });
  const found = device.refresh(source, world.now).then((a) => a?.blob.sha256);
  await found.catch(() => undefined);
  return { visited: visited.join(' '), found };
}

for (const { name, edges, visited } of GRAPHS)
  test(`delegations: ${name}`, async () => {
    const nowhere = await look(await fleetWith(edges));
    assert.is(nowhere.visited, visited);
    await assertRefused(nowhere.found, 'arbitrary-installation');
    const lastRole = visited.split(' ').at(-1)!;
    const there = await look(await fleetWith(edges, lastRole));
    assert.is(await there.found, blobOf(1).sha256);
  });

test('no more roles are looked through than a fleet has', async () => {
  const edges = Array.from({ length: MOST_DELEGATIONS + 8 }, (_, i) =>
    edge(i === 0 ? 'targets' : `A${i - 1}`, `A${i}`),
  );
  const { visited, found } = await look(await fleetWith(edges, `A${edges.length - 1}`));
  assert.is(visited.split(' ').length, MOST_DELEGATIONS - 1);
  await assertRefused(found, 'arbitrary-installation');
});

test('bins by hash, as TUF has them for many targets', async () => {
  const world = await World.make();
  const bins = Array.from({ length: 4 }, (_, i) => `bin-${i}`);
  const base = { _type: 'targets', spec_version: '1.0.31', version: 1, expires: formatTime(START + 9 * DAY) };
  const targets = { [pathOf(1)]: encodeListed(listed(1)) };
  for (const bin of bins) await leadTo(world, bin, { version: 1, bytes: signAnything({ ...base, targets }, [KEY]) });
  const succinct_roles = { keyids: [KEY.key.id], threshold: 1, bit_length: 2, name_prefix: 'bin' };
  const change = { targets: {}, delegations: { keys: KEYS_JSON, succinct_roles } };
  await forgeTargets(world, 'targets', { change, by: KEYS.targets });
  assert.is(await (await look(world)).found, blobOf(1).sha256);
});

test('fifty roots, each with other keys than the one before', async () => {
  const world = await World.make();
  let before = KEYS.root;
  for (let i = 2; i <= 50; i++) {
    const root = [signerOf(100 + i), signerOf(150 + i)];
    await world.rotate({ root }, before);
    before = root;
  }
  const device = await world.device();
  await device.refresh(world.source(), world.now);
  assert.is(device.versions.root, 50);
});

test.run();
