import { metaJson } from '../../../../../sdk/fleet/trust/sign.ts';
import { forgeSnapshot } from '../../../../support/forged-metadata.ts';
import { instead, MANY, STALE, testAttacks } from '../../../../support/trust-attacks.ts';
import { KEYS, STRANGER } from '../../../../support/trust-world.ts';

testAttacks('snapshot', [
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
    act: (w) => forgeSnapshot(w, { change: STALE, by: KEYS.snapshot }),
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
]);
