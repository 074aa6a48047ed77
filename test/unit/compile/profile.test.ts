import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type HostFacts,
  listProfiles,
  loadProfile,
  profilesFolder,
  provenanceOf,
} from '../../../sdk/compile/profile.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { profileJsonSchema } from '../../../tools/generate-profile-schema.ts';

const IDS = [
  'coral-dev-board',
  'coral-dev-board-micro',
  'coral-dev-board-mini',
  'coral-m2',
  'coral-usb',
  'host',
  'jetson-agx-orin-32gb',
  'jetson-agx-orin-64gb',
  'jetson-nano',
  'jetson-orin-nano-4gb',
  'jetson-orin-nano-8gb',
  'jetson-orin-nx-16gb',
  'jetson-orin-nx-8gb',
  'raspberry-pi-3b-plus',
  'raspberry-pi-4b',
  'raspberry-pi-5',
  'raspberry-pi-pico-2',
  'raspberry-pi-zero-2w',
];

const HOST: HostFacts = {
  name: 'AMD EPYC',
  arch: 'x86_64',
  clusters: [
    {
      core: 'AMD EPYC',
      count: 2,
      clockMHz: 2096,
      clockKnown: false,
      l1iKB: 32,
      l1dKB: 48,
      l2KB: 2048,
      l2Shared: false,
      l3KB: 32768,
      vectorBits: 512,
      vectorRegisters: 32,
      features: ['avx2', 'avx512-vnni', 'something-else'],
    },
  ],
  memoryTotalBytes: 8 * 2 ** 30,
  storageFreeBytes: 10 ** 10,
  measured: null,
};

function failure(run: () => unknown): EigenError {
  try {
    run();
  } catch (e) {
    assert.instance(e, EigenError);
    return e as EigenError;
  }
  assert.unreachable('expected an EigenError');
  throw new Error('unreachable');
}

/** Loads the Pi 4 profile after `edit` changed its text. */
// biome-ignore lint/suspicious/noExplicitAny: broken profiles are what is tested
function edited(edit: (profile: any) => void): EigenError {
  const profile = JSON.parse(readFileSync(join(profilesFolder(), 'raspberry-pi-4b.json'), 'utf8'));
  edit(profile);
  return failure(() => loadProfile('./mine.json', { files: { read: () => JSON.stringify(profile), list: () => [] } }));
}

test('every bundled profile loads, and the list is exactly the supported boards', () => {
  assert.equal(
    listProfiles().map((p) => p.id),
    IDS,
  );
  for (const id of IDS) {
    const p = loadProfile(id, { probe: () => HOST });
    assert.is(p.id, id);
    assert.ok(
      p.memory.totalBytes.every((b, i, all) => i === 0 || b > all[i - 1]!),
      `${id}: memory sizes ascend`,
    );
    assert.ok(p.memory.reservedBytes < p.memory.totalBytes[0]!, id);
    assert.ok(provenanceOf(p, 'memory.totalBytes[0]'), id);
  }
});

test('profiles/schema.json is the schema the loader uses', () => {
  assert.is(
    readFileSync(join(profilesFolder(), 'schema.json'), 'utf8'),
    profileJsonSchema(),
    'run: npx tsx tools/generate-profile-schema.ts',
  );
});

test('the most specific provenance holds', () => {
  const p = loadProfile('raspberry-pi-4b');
  assert.is(provenanceOf(p, 'cpu.clusters[0].count')?.source, 'rpi-bcm2711');
  assert.is(provenanceOf(p, 'cpu.clusters[0].features')?.source, 'cpuinfo');
  assert.is(provenanceOf(p, 'memory.measuredGBps')?.confidence, 'benchmark');
  assert.is(provenanceOf(p, 'nothing.here'), undefined);
});

test('microcontrollers run firmware only, boards with Linux run WebAssembly', () => {
  assert.equal(loadProfile('raspberry-pi-pico-2').runtimes, ['firmware']);
  assert.equal(loadProfile('coral-dev-board-micro').runtimes, ['firmware']);
  assert.ok(loadProfile('jetson-nano').runtimes.includes('wasm'));
});

test('an accessory takes CPU and memory from its carrier, accelerators keep their provenance', () => {
  const usb = loadProfile('coral-usb');
  assert.is(usb.cpu.clusters[0]!.core, 'cortex-a72');
  assert.is(usb.accelerators[0]!.kind, 'edgetpu');
  assert.is(provenanceOf(usb, 'accelerators[0].int8Tops')?.source, 'coral-usb-ds');
  const onJetson = loadProfile('coral-usb', { carrier: 'jetson-orin-nx-16gb' });
  assert.is(onJetson.accelerators[1]!.kind, 'gpu');
  assert.is(provenanceOf(onJetson, 'accelerators[1].l2KB')?.source, 'orin-devicequery');
  assert.is(provenanceOf(onJetson, 'accelerators[0].int8Tops')?.source, 'coral-usb-ds');
});

test('the host profile takes its numbers from the probe', () => {
  const p = loadProfile('host', { probe: () => HOST });
  assert.is(p.cpu.clusters[0]!.l1dKB, 48);
  assert.equal(p.cpu.clusters[0]!.features, ['avx2', 'avx512-vnni']);
  assert.is(provenanceOf(p, 'cpu.clusters[0].clockMHz')?.confidence, 'estimate');
  assert.is(provenanceOf(p, 'cpu.clusters[0].l1dKB')?.confidence, 'measured');
  assert.throws(() => loadProfile('host'), /needs options.probe/);
});

test('an unknown id names the nearest and lists all', () => {
  const typo = failure(() => loadProfile('rasberry-pi-5'));
  assert.is(typo.code, 'EW2002_TARGET_UNKNOWN');
  assert.match(typo.hint!, "did you mean 'raspberry-pi-5'?");
  assert.match(typo.hint!, 'jetson-nano');
  assert.match(failure(() => loadProfile('rpi4')).hint!, "'raspberry-pi-4b'");
});

test('a wrong field is named with what was expected and what was found', () => {
  const wrongType = edited((p) => {
    p.cpu.clusters[0].clockMHz = 'fast';
  });
  assert.is(wrongType.code, 'EW2001_PROFILE_INVALID');
  assert.match(wrongType.message, 'cpu.clusters[0].clockMHz: expected number, got "fast"');
  const negative = edited((p) => {
    p.memory.peakGBps = -1;
  });
  assert.match(negative.message, 'memory.peakGBps: expected >0, got -1');
  const choice = edited((p) => {
    p.cpu.clusters[0].features = ['neonn'];
  });
  assert.match(choice.message, /cpu\.clusters\[0\]\.features\[0\]: expected \(.*"neon".*got "neonn"/);
  const missing = edited((p) => {
    delete p.memory.totalBytes;
  });
  assert.match(missing.message, 'memory.totalBytes');
  assert.match(
    edited((p) => {
      p.form = 'bord';
    }).message,
    /form: expected \("board"/,
  );
});

test('an unknown key is an error with a suggestion', () => {
  const e = edited((p) => {
    p.memory.peekGBps = 3;
  });
  assert.match(e.message, "memory.peekGBps: unknown key, did you mean 'peakGBps'?");
  assert.match(
    edited((p) => {
      p.zebra = 1;
    }).message,
    'zebra: unknown key, known are form',
  );
});

test('a number without a source and a source without a citation are errors', () => {
  assert.match(
    edited((p) => {
      delete p.provenance['memory.peakGBps'];
    }).message,
    "memory.peakGBps: a number without an entry in 'provenance'",
  );
  assert.match(
    edited((p) => {
      p.provenance['memory.peekGBps'] = p.provenance['memory.peakGBps'];
    }).message,
    "provenance.memory.peekGBps: no such field, did you mean 'memory.peakGBps'?",
  );
  assert.match(
    edited((p) => {
      delete p.sources.ncnn;
    }).message,
    "source 'ncnn' is not in 'sources'",
  );
});

test("a user's own file loads by path; a missing or broken one says so", () => {
  const dir = mkdtempSync(join(tmpdir(), 'ew-profile-'));
  try {
    const file = join(dir, 'mine.json');
    const own = JSON.parse(readFileSync(join(profilesFolder(), 'raspberry-pi-4b.json'), 'utf8'));
    own.id = 'my-gateway';
    own.memory = { type: 'DDR4', totalBytes: [2 ** 31], reservedBytes: 0, peakGBps: 10, measuredGBps: null };
    own.provenance = { '*': { source: 'me', confidence: 'measured' } };
    own.sources.me = 'lab notebook';
    writeFileSync(file, JSON.stringify(own));
    const p = loadProfile(file);
    assert.is(p.id, 'my-gateway');
    assert.is(provenanceOf(p, 'memory.peakGBps')?.source, 'me');
    writeFileSync(file, '{ "id": ');
    assert.match(failure(() => loadProfile(file)).message, 'not JSON');
    assert.is(failure(() => loadProfile(join(dir, 'none.json'))).code, 'EW1002_FILE_NOT_FOUND');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
