import { signAssignment } from '../../../../../sdk/fleet/trust/index.ts';
import { assignmentRole, encodeListed } from '../../../../../sdk/wire/metadata.ts';
import { forgeAssignment } from '../../../../support/forged-metadata.ts';
import { instead, MANY, testAttacks } from '../../../../support/trust-attacks.ts';
import { KEYS, listed, pathOf, STRANGER } from '../../../../support/trust-world.ts';

testAttacks('director', [
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
]);
