import { metaJson } from '../../../../../sdk/fleet/trust/sign.ts';
import { formatTime } from '../../../../../sdk/wire/metadata.ts';
import { forgeTimestamp } from '../../../../support/forged-metadata.ts';
import { instead, MANY, testAttacks, text } from '../../../../support/trust-attacks.ts';
import { DAY, KEYS, START, STRANGER } from '../../../../support/trust-world.ts';

testAttacks('timestamp', [
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
]);
