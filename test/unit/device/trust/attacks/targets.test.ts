import { type SignedJson, signMetadata } from '../../../../../sdk/fleet/trust/sign.ts';
import { encodeListed, formatTime } from '../../../../../sdk/wire/metadata.ts';
import { forgeTargets, leadTo } from '../../../../support/forged-metadata.ts';
import { instead, MANY, STALE, testAttacks, text } from '../../../../support/trust-attacks.ts';
import { DAY, KEYS, listed, pathOf, START, STRANGER, signerOf } from '../../../../support/trust-world.ts';
import { blobOf } from '../../../../support/versions.ts';

testAttacks('targets', [
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
    act: (w) => forgeTargets(w, 'targets', { change: STALE, by: KEYS.targets }),
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
]);
