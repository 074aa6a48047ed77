import { makeRoot } from '../../../../../sdk/fleet/trust/index.ts';
import { readMetadata, type SignedJson, signMetadata } from '../../../../../sdk/fleet/trust/sign.ts';
import { formatTime } from '../../../../../sdk/wire/metadata.ts';
import { forgeRoot } from '../../../../support/forged-metadata.ts';
import { instead, MANY, testAttacks, text } from '../../../../support/trust-attacks.ts';
import { DAY, KEYS, START, STRANGER, signerOf } from '../../../../support/trust-world.ts';

testAttacks('root', [
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
]);
