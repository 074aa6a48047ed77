import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MetadataSource } from '../../../../sdk/device/trust/source.ts';
import type { Trust } from '../../../../sdk/device/trust/trust.ts';
import { makeRoot, signAssignment } from '../../../../sdk/fleet/trust/index.ts';
import { metaJson, readMetadata, type SignedJson, signMetadata } from '../../../../sdk/fleet/trust/sign.ts';
import type { Attack } from '../../../../sdk/wire/attacks.ts';
import { assignmentRole, encodeListed, formatTime, MOST_BYTES } from '../../../../sdk/wire/metadata.ts';
import {
  forgeAssignment,
  forgeRoot,
  forgeSnapshot,
  forgeTargets,
  forgeTimestamp,
  leadTo,
} from '../../../support/forged-metadata.ts';
import {
  assertRefused,
  DAY,
  KEYS,
  listed,
  pathOf,
  START,
  STRANGER,
  signerOf,
  World,
} from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

/** What somebody does to a fleet whose device has installed version 1. */
interface Case {
  readonly attack: Attack;
  readonly name: string;
  /** Changes what the fleet serves. */
  readonly act?: (world: World) => Promise<void>;
  /** Those who may have signed that what was assigned is not listed as it was. */
  readonly withdrawn?: true;
  /** Serves something else. */
  readonly serve?: (world: World, device: Trust) => Promise<MetadataSource>;
}

const MANY = new Uint8Array(MOST_BYTES.targets + 1);
const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const stale = { expires: formatTime(START - DAY) };

/** Serves other bytes for a role. */
function instead(world: World, role: string, bytes: Uint8Array | undefined): MetadataSource {
  return world.source((r, served) => (r === role ? bytes : served));
}

const ROOT: readonly Case[] = [
  {
    attack: 'arbitrary-installation',
    name: 'a root that one of three has signed',
    act: (w) => forgeRoot(w, { by: [KEYS.root[0]!] }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'a root that only its own new keys have signed',
    act: async (w) => {
      const keys = [signerOf(51), signerOf(52)];
      const root = makeRoot(w.rootContent({ ...KEYS, root: keys }, 2), keys);
      await w.folder.write('root', root.bytes, 2);
    },
  },
  {
    attack: 'arbitrary-installation',
    name: 'a root that only the keys before it have signed',
    act: async (w) => {
      const root = makeRoot(w.rootContent({ ...KEYS, root: [signerOf(51), signerOf(52)] }, 2), KEYS.root);
      await w.folder.write('root', root.bytes, 2);
    },
  },
  {
    attack: 'malformed-metadata',
    name: 'a root with the signature of one key twice',
    act: async (w) => {
      const { signed } = readMetadata(await w.deliveredRoot());
      const { signatures } = readMetadata(signMetadata({ ...signed, version: 2 }, [KEYS.root[0]!]));
      const bytes = text(
        JSON.stringify({ signed: { ...signed, version: 2 }, signatures: [...signatures, ...signatures] }),
      );
      await w.folder.write('root', bytes, 2);
    },
  },
  {
    attack: 'arbitrary-installation',
    name: 'a root with one key under two names',
    act: async (w) => {
      const { signed } = readMetadata(await w.deliveredRoot());
      const keys = signed.keys as Record<string, unknown>;
      const [first] = KEYS.root;
      await forgeRoot(w, { change: { keys: { ...keys, other: keys[first!.key.id] } }, by: KEYS.root });
    },
  },
  {
    attack: 'malformed-metadata',
    name: 'a root that names a key twice for a role',
    act: async (w) => {
      const { roles } = readMetadata(await w.deliveredRoot()).signed as SignedJson & { roles: object };
      const id = KEYS.root[0]!.key.id;
      await forgeRoot(w, { change: { roles: { ...roles, root: { keyids: [id, id], threshold: 2 } } }, by: KEYS.root });
    },
  },
  {
    attack: 'fast-forward',
    name: 'a root that leaves one out',
    act: (w) => forgeRoot(w, { change: { version: 3 }, by: KEYS.root }, 2),
  },
  {
    attack: 'rollback',
    name: 'the same root again',
    act: async (w) => w.folder.write('root', await w.deliveredRoot(), 2),
  },
  {
    attack: 'rollback',
    name: 'a root that was issued before the one that is trusted',
    act: (w) => forgeRoot(w, { change: { issued: formatTime(START - DAY) }, by: KEYS.root }),
  },
  {
    attack: 'freeze',
    name: 'a root that has expired',
    act: async (w) => {
      await forgeRoot(w, { change: { expires: formatTime(START + 1000) }, by: KEYS.root });
      w.now += DAY;
    },
  },
  {
    attack: 'malformed-metadata',
    name: 'a root without a director',
    act: (w) => forgeRoot(w, { change: { director: undefined }, by: KEYS.root }),
  },
  {
    attack: 'malformed-metadata',
    name: 'a root of which any one may sign as the director',
    act: (w) => forgeRoot(w, { change: { director: { keyids: [], threshold: 0 } }, by: KEYS.root }),
  },
  {
    attack: 'endless-data',
    name: 'a root with more roles than can be looked at in time',
    act: async (w) => {
      const roles = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`r${i}`, { keyids: [], threshold: 1 }]));
      await forgeRoot(w, { change: { roles }, by: [STRANGER] });
    },
  },
  { attack: 'endless-data', name: 'a root without an end', serve: async (w) => instead(w, 'root', MANY) },
];

const TIMESTAMP: readonly Case[] = [
  {
    attack: 'arbitrary-installation',
    name: 'a timestamp by a stranger',
    act: (w) => forgeTimestamp(w, { by: [STRANGER] }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'a timestamp without signatures',
    act: (w) => forgeTimestamp(w, { by: [] }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'a timestamp by who signs snapshots',
    act: (w) => forgeTimestamp(w, { by: KEYS.snapshot }),
  },
  {
    attack: 'rollback',
    name: 'an older timestamp',
    act: (w) => forgeTimestamp(w, { change: { version: 1 }, by: KEYS.timestamp }),
  },
  {
    attack: 'rollback',
    name: 'a timestamp of an older snapshot',
    act: async (w) => {
      const snapshot = (await w.folder.read('snapshot', 1))!.bytes;
      await forgeTimestamp(w, { change: { meta: { 'snapshot.json': metaJson(1, snapshot) } }, by: KEYS.timestamp });
    },
  },
  {
    attack: 'rollback',
    name: 'a timestamp that sets the time back',
    act: (w) => forgeTimestamp(w, { change: { issued: formatTime(START - DAY) }, by: KEYS.timestamp }),
  },
  {
    attack: 'time-jump',
    name: 'a timestamp from when the root has expired',
    act: (w) =>
      forgeTimestamp(w, {
        change: { issued: '9998-01-01T00:00:00Z', expires: '9999-01-01T00:00:00Z' },
        by: KEYS.timestamp,
      }),
  },
  {
    attack: 'time-jump',
    name: 'a timestamp that was issued after it expires',
    act: (w) => forgeTimestamp(w, { change: { issued: formatTime(START + 30 * DAY) }, by: KEYS.timestamp }),
  },
  {
    attack: 'freeze',
    name: 'the same timestamp for too long',
    act: async (w) => {
      w.now += 8 * DAY;
    },
  },
  {
    attack: 'freeze',
    name: 'a new timestamp that has expired',
    act: async (w) => {
      await forgeTimestamp(w, { change: { expires: formatTime(START + 1000) }, by: KEYS.timestamp });
      w.now += DAY;
    },
  },
  { attack: 'endless-data', name: 'a timestamp without an end', serve: async (w) => instead(w, 'timestamp', MANY) },
  { attack: 'withheld', name: 'no timestamp', serve: async (w) => instead(w, 'timestamp', undefined) },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp that is no JSON',
    serve: async (w) => instead(w, 'timestamp', text('{')),
  },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp that is null',
    serve: async (w) => instead(w, 'timestamp', text('null')),
  },
  {
    attack: 'malformed-metadata',
    name: 'a snapshot in place of the timestamp',
    serve: async (w) => instead(w, 'timestamp', (await w.folder.read('snapshot', 2))!.bytes),
  },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp whose time is none',
    act: (w) => forgeTimestamp(w, { change: { expires: 'never' }, by: KEYS.timestamp }),
  },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp whose version is beyond counting',
    act: (w) => forgeTimestamp(w, { change: { version: 2 ** 60 }, by: KEYS.timestamp }),
  },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp of another major version of TUF',
    act: (w) => forgeTimestamp(w, { change: { spec_version: '2.0.0' }, by: KEYS.timestamp }),
  },
  {
    attack: 'malformed-metadata',
    name: 'a timestamp that says no hash of the snapshot',
    serve: (w) =>
      forgeTimestamp(w, { change: { meta: { 'snapshot.json': { version: 3 } } }, by: KEYS.timestamp }).then(() =>
        w.source((r, b) => (r === 'snapshot' ? text('{}') : b)),
      ),
  },
];

const SNAPSHOT: readonly Case[] = [
  {
    attack: 'arbitrary-installation',
    name: 'a snapshot by a stranger, and the timestamp key',
    act: (w) => forgeSnapshot(w, { by: [STRANGER] }),
  },
  {
    attack: 'mix-and-match',
    name: 'another snapshot than the one that is signed for',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'snapshot', (await w.folder.read('snapshot', 2))!.bytes);
    },
  },
  {
    attack: 'mix-and-match',
    name: 'a snapshot of another version than the one that is signed for',
    serve: (w) =>
      forgeSnapshot(w, { by: KEYS.snapshot }, { version: 7 }).then(() =>
        w.source((r, b, v) => (r === 'snapshot' && v === 7 ? w.fs.files.get('metadata/3.snapshot.json') : b)),
      ),
  },
  {
    attack: 'rollback',
    name: 'a snapshot of older targets',
    act: async (w) => {
      const bytes = (await w.folder.read('targets', 1))!.bytes;
      await forgeSnapshot(w, { change: { meta: { 'targets.json': metaJson(1, bytes) } }, by: KEYS.snapshot });
    },
  },
  {
    attack: 'rollback',
    name: 'a snapshot that leaves a role out',
    act: (w) => forgeSnapshot(w, { change: { meta: {} }, by: KEYS.snapshot }),
  },
  {
    attack: 'freeze',
    name: 'a snapshot that has expired',
    act: (w) => forgeSnapshot(w, { change: stale, by: KEYS.snapshot }),
  },
  {
    attack: 'endless-data',
    name: 'a snapshot that is longer than what is signed for',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'snapshot', MANY);
    },
  },
  {
    attack: 'withheld',
    name: 'no snapshot',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'snapshot', undefined);
    },
  },
];

const TARGETS: readonly Case[] = [
  {
    attack: 'arbitrary-installation',
    name: 'targets by a stranger, and both keys that are online',
    act: (w) => forgeTargets(w, 'targets', { by: [STRANGER] }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'targets by the director, and both keys that are online',
    act: (w) => forgeTargets(w, 'targets', { by: KEYS.director }),
  },
  {
    attack: 'mix-and-match',
    name: 'other targets than those in the snapshot',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'targets', (await w.folder.read('targets', 2))!.bytes);
    },
  },
  {
    attack: 'mix-and-match',
    name: 'targets of another version than the one in the snapshot',
    act: (w) => forgeTargets(w, 'targets', { change: { version: 9 }, by: KEYS.targets }),
  },
  {
    attack: 'mix-and-match',
    name: 'a role that is delegated to and not in the snapshot',
    act: async (w) => {
      const roles = [{ name: 'kws', paths: ['kws/*/*'], keyids: [], threshold: 1, terminating: true }];
      await forgeTargets(w, 'targets', { change: { targets: {}, delegations: { keys: {}, roles } }, by: KEYS.targets });
    },
  },
  {
    attack: 'freeze',
    name: 'targets that have expired',
    act: (w) => forgeTargets(w, 'targets', { change: stale, by: KEYS.targets }),
  },
  {
    attack: 'endless-data',
    name: 'targets that are longer than what is signed for',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'targets', MANY);
    },
  },
  {
    attack: 'withheld',
    name: 'no targets',
    serve: async (w) => {
      await w.list(1);
      return instead(w, 'targets', undefined);
    },
  },
  {
    attack: 'malformed-metadata',
    name: 'a bundle whose pieces are not all of it',
    withdrawn: true,
    act: async (w) => {
      const fields = encodeListed(listed(1));
      const custom = { ...(fields.custom as object), pieces: [] };
      const targets = { [pathOf(1)]: { ...fields, custom } };
      await forgeTargets(w, 'targets', { change: { targets }, by: KEYS.targets });
    },
  },
  {
    attack: 'wrong-hardware',
    name: 'a bundle that is listed for another board under the same name',
    withdrawn: true,
    act: (w) =>
      forgeTargets(w, 'targets', {
        change: { targets: { [pathOf(1)]: encodeListed(listed(1, { board: 'other' })) } },
        by: KEYS.targets,
      }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'a bundle that is no longer listed',
    withdrawn: true,
    act: (w) => w.repository.unlist([pathOf(1)], w.ring),
  },
  {
    attack: 'arbitrary-installation',
    name: 'a role that signs for a family that is not its own',
    act: async (w) => {
      const own = signerOf(61);
      w.ring.add(own);
      await w.repository.delegate({ name: 'ocr', paths: ['ocr/*/*'], keys: [own.key], threshold: 1 }, w.ring);
      await w.repository.list({ [pathOf(9)]: listed(2) }, w.ring, 'ocr');
      const { bytes, sha256 } = blobOf(2);
      const order = w.order(2);
      await w.assign(2, { bundle: { ...order.bundle!, path: pathOf(9), bytes, sha256 } });
    },
  },
  {
    attack: 'arbitrary-installation',
    name: 'a delegated role that another role has signed',
    act: async (w) => {
      const [own, other] = [signerOf(61), signerOf(62)];
      w.ring.add(own);
      await w.repository.delegate({ name: 'kws', paths: ['kws/*/*'], keys: [own.key], threshold: 1 }, w.ring);
      await w.repository.unlist([pathOf(1)], w.ring);
      await forgeTargets(w, 'kws', { change: { targets: { [pathOf(1)]: encodeListed(listed(1)) } }, by: [other] });
    },
  },
  {
    attack: 'path-traversal',
    name: 'a delegation to a role whose name is a path',
    act: async (w) => {
      const name = '../../../etc/cron';
      const roles = [{ name, paths: ['kws/*/*'], keyids: [], threshold: 1, terminating: true }];
      await forgeTargets(w, 'targets', { change: { targets: {}, delegations: { keys: {}, roles } }, by: KEYS.targets });
      await leadTo(w, name, { version: 1, bytes: text('{}') });
    },
  },
  {
    attack: 'arbitrary-installation',
    name: 'delegations in a circle',
    withdrawn: true,
    act: async (w) => {
      const own = signerOf(61);
      const keys = { [own.key.id]: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: own.key.hex } } };
      const to = (name: string): object => ({
        delegations: {
          keys,
          roles: [{ name, paths: ['kws/*/*'], keyids: [own.key.id], threshold: 1, terminating: false }],
        },
      });
      const base = {
        _type: 'targets',
        spec_version: '1.0.31',
        version: 1,
        expires: formatTime(START + 9 * DAY),
        targets: {},
      };
      for (const [name, next] of [
        ['one', 'two'],
        ['two', 'one'],
      ] as const)
        await leadTo(w, name, { version: 1, bytes: signMetadata({ ...base, ...to(next) } as SignedJson, [own]) });
      await forgeTargets(w, 'targets', { change: { targets: {}, ...to('one') }, by: KEYS.targets });
    },
  },
];

const DIRECTOR: readonly Case[] = [
  { attack: 'arbitrary-installation', name: 'an assignment by a stranger', act: (w) => w.assign(2, {}, [STRANGER]) },
  { attack: 'arbitrary-installation', name: 'an assignment without signatures', act: (w) => w.assign(2, {}, []) },
  {
    attack: 'arbitrary-installation',
    name: 'an assignment by who signs targets',
    act: (w) => w.assign(2, {}, KEYS.targets),
  },
  {
    attack: 'arbitrary-installation',
    name: 'an assignment of a bundle that targets do not list',
    act: (w) => w.assign(2, { bundle: { ...w.order(2).bundle!, path: pathOf(9) } }),
  },
  {
    attack: 'arbitrary-installation',
    name: 'an assignment of other bytes than those that are listed',
    act: (w) => w.assign(2, { bundle: { ...w.order(3).bundle!, path: pathOf(2) } }),
  },
  {
    attack: 'wrong-device',
    name: "another device's assignment",
    serve: async (w) => {
      const bytes = signAssignment(w.order(2, { device: 'neighbour' }), KEYS.director);
      return instead(w, assignmentRole('device'), bytes);
    },
  },
  { attack: 'wrong-hardware', name: 'an assignment for another board', act: (w) => w.assign(2, { board: 'other' }) },
  {
    attack: 'rollback',
    name: 'the assignment from before',
    serve: async (w, device) => {
      const before = (await w.folder.read(assignmentRole('device')))!.bytes;
      await w.assign(1);
      await device.refresh(w.source(), w.now);
      return instead(w, assignmentRole('device'), before);
    },
  },
  { attack: 'rollback', name: 'an assignment of an older release', act: (w) => w.assign(2, { release: 0 }) },
  {
    attack: 'fast-forward',
    name: 'an assignment of the last release there can be',
    act: (w) => w.assign(2, { release: Number.MAX_SAFE_INTEGER }),
  },
  {
    attack: 'mix-and-match',
    name: 'an assignment of another bundle as the same release',
    act: (w) => w.assign(2, { release: 1 }),
  },
  {
    attack: 'extraneous-dependencies',
    name: 'an assignment of two bundles',
    act: (w) => {
      const fields = {
        ...encodeListed(listed(1)),
        custom: { limits: {}, shadow_inputs: 0, probation_milliseconds: 0 },
      };
      return forgeAssignment(w, {
        change: { targets: { [pathOf(1)]: fields, [pathOf(2)]: fields } },
        by: KEYS.director,
      });
    },
  },
  {
    attack: 'extraneous-dependencies',
    name: 'an assignment that delegates',
    act: (w) => forgeAssignment(w, { change: { delegations: { keys: {}, roles: [] } }, by: KEYS.director }),
  },
  {
    attack: 'freeze',
    name: 'an assignment that has expired',
    act: (w) => w.assign(2, { expires: w.now - 1000 }),
  },
  {
    attack: 'malformed-metadata',
    name: 'an assignment without a device',
    act: (w) => forgeAssignment(w, { change: { device: undefined }, by: KEYS.director }),
  },
  {
    attack: 'malformed-metadata',
    name: 'an assignment whose release is no number',
    act: (w) => forgeAssignment(w, { change: { release: 'newest' }, by: KEYS.director }),
  },
  {
    attack: 'endless-data',
    name: 'an assignment without an end',
    serve: async (w) => instead(w, assignmentRole('device'), MANY),
  },
];

for (const [part, cases] of Object.entries({ ROOT, TIMESTAMP, SNAPSHOT, TARGETS, DIRECTOR }))
  for (const { attack, name, act, serve, withdrawn } of cases)
    test(`${part.toLowerCase()}: ${name}: ${attack}`, async () => {
      const world = await World.make();
      const device = await world.device();
      await device.refresh(world.source(), world.now);
      const served = world.copy();

      await act?.(world);
      const source = (await serve?.(world, device)) ?? world.source();
      await assertRefused(device.refresh(source, world.now), attack);
      // What was assigned, and runs, is what counts.
      assert.is(device.assignment?.blob.sha256, withdrawn ? undefined : blobOf(1).sha256);

      // Without whoever that was, the fleet goes on.
      world.restore(served);
      await world.goOn();
      const next = await device.refresh(world.source(), world.now);
      assert.is(next?.blob.sha256, blobOf(2).sha256);
    });

test.run();
