import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Hooks, systemHooks, temperatureOf, unmetCondition } from '../../../../sdk/device/service/conditions.ts';

const at = (time: string): Date => new Date(`2026-11-26T${time}:00`);
const files: Record<string, string> = { hot: '81000\n', cool: '40000\n', words: 'charging\n', none: '\n' };
const hooks: Hooks = {
  read: async (file) => files[file] ?? Promise.reject(new Error('no such file')),
  execute: async ([program]) => ({ code: program === 'yes' ? 0 : 3, output: 'the robot moves\nand more' }),
};

test('a window, also over midnight', async () => {
  const night = { window: { from: '22:00', to: '04:30' } };
  const day = { window: { from: '12:00', to: '13:00' } };
  for (const [rules, time, open] of [
    [night, '23:10', true],
    [night, '04:29', true],
    [night, '04:30', false],
    [night, '12:00', false],
    [day, '12:00', true],
    [day, '13:00', false],
    [{}, '13:00', true],
  ] as const)
    assert.is((await unmetCondition(rules, at(time), hooks)) === undefined, open, time);
});

test('readings of the system: what cannot be read says no', async () => {
  const rules = (file: string) => ({ temperature: { file, most: 80_000 } });
  assert.is(await unmetCondition(rules('cool'), at('12:00'), hooks), undefined);
  assert.match((await unmetCondition(rules('hot'), at('12:00'), hooks))!, /temperature: 81000 in hot, at most 80000/);
  assert.match((await unmetCondition(rules('words'), at('12:00'), hooks))!, /words has no number/);
  assert.match((await unmetCondition(rules('none'), at('12:00'), hooks))!, /none has no number/);
  assert.match((await unmetCondition(rules('lost'), at('12:00'), hooks))!, /lost cannot be read: no such file/);
  const power = { power: { file: 'cool', least: 50_000 } };
  assert.match((await unmetCondition(power, at('12:00'), hooks))!, /power: 40000 in cool, at least 50000/);
});

test('the temperature of the processor, where the system says it', async () => {
  const zone = (text: string) => ({ read: async (file: string) => (file.includes('thermal_zone0') ? text : '') });
  assert.is(await temperatureOf(zone('51250\n')), 51.25);
  for (const text of ['', '\n', 'warm']) assert.is(await temperatureOf(zone(text)), undefined);
  assert.is(await temperatureOf(hooks), undefined);
});

test("a program's word", async () => {
  assert.is(await unmetCondition({ command: ['yes'] }, at('12:00'), hooks), undefined);
  assert.is(await unmetCondition({ command: ['no'] }, at('12:00'), hooks), 'no ended with 3: the robot moves');
  const here = await unmetCondition({ command: [process.execPath, '-e', 'process.exit(4)'] }, at('12:00'), systemHooks);
  assert.match(here!, /ended with 4/);
  assert.match((await unmetCondition({ command: ['/no/such/program'] }, at('12:00'), systemHooks))!, /ENOENT/);
});

test.run();
