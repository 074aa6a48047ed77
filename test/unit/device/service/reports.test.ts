import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Failure } from '../../../../sdk/device/agent/ledger.ts';
import { birthOf, healthOf, reportOf, textOf } from '../../../../sdk/device/service/reports.ts';
import { encodeMessage } from '../../../../sdk/wire/protocol/messages.ts';

const ONE = 'ab'.repeat(32);
const FACTS = { running: ONE, installed: [ONE], modelBytes: 1000 };
const FAILURE: Failure = {
  sha256: ONE,
  release: 1,
  attempts: 1,
  at: 0,
  step: 'GATE',
  code: 'EW7005_GATE_FAILED',
  reason: 'r',
  poisoned: true,
};

test('how updates end, in the words of the protocol', () => {
  const ends = (change: Partial<Failure>) => reportOf({ kind: 'failed', failure: { ...FAILURE, ...change } }, FACTS, 7);
  assert.is(reportOf({ kind: 'committed', sha256: ONE, release: 1, at: 0 }, FACTS, 7).outcome, 'committed');
  assert.is(ends({}).outcome, 'refused');
  assert.equal([ends({}).step, ends({}).reason], ['gate', 'r']);
  assert.is(ends({ step: 'FETCH', poisoned: false }).outcome, 'failed');
  const back = ends({ step: 'PROBATION', code: '', attack: 'withheld' });
  assert.equal([back.outcome, back.code, back.attack, back.received], ['rolled-back', undefined, 'withheld', 7]);
  for (const report of [ends({}), back, reportOf({ kind: 'failed', failure: FAILURE }, { installed: [] }, 0)])
    assert.ok(encodeMessage('up', { type: 'report', epoch: 1, seq: 1, rev: 1, ...report }));
});

test('a reason is as long as a message may have it, in whole characters', () => {
  assert.is(textOf('short'), 'short');
  assert.is(textOf(`${'x'.repeat(255)}ü and more`), 'x'.repeat(255));
  assert.is(textOf('a\0b'), 'a\ufffdb');
  const long = reportOf({ kind: 'failed', failure: { ...FAILURE, reason: '\ud800'.repeat(300) } }, FACTS, 0);
  assert.ok(encodeMessage('up', { type: 'report', epoch: 1, seq: 1, rev: 1, ...long }));
});

test('a birth says what the machine is, what runs on it, and which agent', () => {
  const machine = { board: 'raspberry-pi-5', profile: ONE };
  const metadata = { root: 1, timestamp: 2, snapshot: 3, targets: 4 };
  const bytes = new Uint8Array(32).fill(0xab);
  const birth = birthOf({ ...FACTS, self: ONE }, machine, metadata);
  assert.equal([birth.board, birth.profile, birth.self, birth.running], ['raspberry-pi-5', bytes, bytes, bytes]);
  assert.ok(encodeMessage('up', { type: 'birth', epoch: 1, rev: 1, ...birth }));
  assert.is(birthOf({ installed: [] }, machine, metadata).self, undefined);
});

test('health is of a model, times are microseconds', () => {
  const health = {
    runs: 3,
    failures: 1,
    p95Milliseconds: 1.2345,
    residentBytes: 5,
    temperature: 51.5,
    metrics: { right: 0.5 },
  };
  assert.is(healthOf(health, { installed: [] }), undefined);
  const said = healthOf(health, FACTS)!;
  assert.equal([said.p95, said.memory, said.temperature, said.metrics], [1235, 1000, 51.5, { right: 0.5 }]);
  assert.ok(encodeMessage('up', { type: 'health', epoch: 1, seq: 1, ...said }));
});

test.run();
