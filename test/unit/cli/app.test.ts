import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Io, runCli } from '../../../sdk/cli/app.ts';
import {
  type CommandEntry,
  defineCommand,
  entry,
  repeatFlag,
  requiredFlag,
  switchFlag,
} from '../../../sdk/cli/command.ts';
import { readCount, readDims } from '../../../sdk/cli/values.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { fakeIo } from '../../support/cli-io.ts';

const counting = defineCommand({
  examples: ['eigenweights count up --to 3'],
  args: [{ name: 'WAY', help: 'up or down' }],
  flags: {
    to: requiredFlag('N', 'where to stop', readCount, 't'),
    dim: repeatFlag('NAME=N', 'a dimension', readDims),
    loud: switchFlag('shout'),
  },
  async run({ args, flags }, context) {
    for (let i = 1; i <= flags.to; i++) context.progress({ stage: 'count', done: i, total: flags.to });
    context.note('a note');
    return {
      data: { way: args[0], ...flags, cwd: context.cwd, dryRun: context.dryRun, verbose: context.verbose },
      text: `counted ${flags.to}`,
    };
  },
});

const count = entry('count', 'Counts to a number', async () => counting);

function failing(error: unknown): CommandEntry {
  const body = defineCommand({
    examples: [],
    args: [],
    flags: {},
    run: async () => {
      throw error;
    },
  });
  return entry('fail', 'Fails', async () => body);
}

async function run(line: string, commands: readonly CommandEntry[] = [count], overrides: Partial<Io> = {}) {
  const io = fakeIo(overrides);
  const code = await runCli(line.split(' ').filter(Boolean), commands, io);
  return { code, out: io.out(), err: io.err() };
}

test('the answer goes to stdout, notes and progress to stderr', async () => {
  const r = await run('count up --to 2');
  assert.is(r.code, 0);
  assert.is(r.out, 'counted 2\n');
  assert.is(r.err, 'a note\n');
});

test('flags: short, repeated, inline, switches, shared ones before the command', async () => {
  const r = await run('-C sub --json count up -t3 --dim a=1 --dim=b=2 -vvn --loud');
  assert.equal(JSON.parse(r.out), {
    ok: true,
    command: 'count',
    version: '1.2.3',
    data: { way: 'up', to: 3, dim: { a: 1, b: 2 }, loud: true, cwd: '/somewhere/sub', dryRun: true, verbose: 2 },
  });
  assert.is(r.err, '');
});

test('--json=lines prints an event a line and the document last', async () => {
  const lines = (await run('count up --to 2 --json=lines')).out
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l));
  assert.is(lines.length, 3);
  assert.equal(lines[0], { event: 'progress', stage: 'count', done: 1, total: 2, t: 0 });
  assert.is(lines[2].ok, true);
});

test('-q prints the answer only', async () => {
  assert.equal(await run('count up --to 2 -q'), { code: 0, out: 'counted 2\n', err: '' });
});

test('a terminal gets a bar, unless CI is set', async () => {
  assert.match((await run('count up --to 2', [count], { stderrIsTerminal: true })).err, '[############............]');
  assert.not.match(
    (await run('count up --to 2', [count], { stderrIsTerminal: true, env: { CI: 'true' } })).err,
    '[####',
  );
});

for (const [line, message, hint] of [
  ['cuont up', "unknown command 'cuont'", 'did you mean count?'],
  ['count up --to 2 --lowd', 'count: unknown flag --lowd', 'did you mean --loud?'],
  ['count up --to', 'count: --to needs a value: N', 'see eigenweights count --help'],
  ['count up --to --loud', 'count: --to needs a value: N', 'see eigenweights count --help'],
  ['count up --to 2 --loud=yes', 'count: --loud takes no value', 'see eigenweights count --help'],
  ['count up --to 2 --to 3', 'count: --to is given 2 times', 'see eigenweights count --help'],
  ['count up', 'count: --to N is missing: where to stop', 'see eigenweights count --help'],
  ['count --to 2', 'count: WAY is missing: up or down', 'see eigenweights count --help'],
  ['count up down --to 2', "count: unexpected argument 'down'", 'see eigenweights count --help'],
  ['count up --to two', '--to two: expected a positive whole number', undefined],
  ['count up --to 2 --json=pretty', '--json=pretty: the only form with a value is --json=lines', undefined],
] as const) {
  test(`wrong usage: ${line}`, async () => {
    const r = await run(line);
    assert.is(r.code, 2);
    if (line.includes('--json')) {
      assert.is(JSON.parse(r.out).error.message, message);
      return;
    }
    assert.is(r.out, '');
    assert.is(r.err, `error ${message} (EW1001_USAGE)\n${hint ? `hint: ${hint}\n` : ''}`);
  });
}

test('an expected error: exit code of its group, hint, one JSON document', async () => {
  const error = new EigenError('EW3202_DATA_INVALID', 'array x has NaN', { hint: 'clean it', details: { array: 'x' } });
  const text = await run('fail', [failing(error)]);
  assert.equal(text, { code: 3, out: '', err: 'error array x has NaN (EW3202_DATA_INVALID)\nhint: clean it\n' });
  const json = await run('fail --json', [failing(error)]);
  assert.is(json.code, 3);
  assert.equal(JSON.parse(json.out), {
    ok: false,
    command: 'fail',
    version: '1.2.3',
    error: { code: 'EW3202_DATA_INVALID', message: 'array x has NaN', hint: 'clean it', details: { array: 'x' } },
  });
});

test('a bug: exit code 1, one line, the stack only under EIGEN_DEBUG=1', async () => {
  const quiet = await run('fail', [failing(new TypeError('x is undefined'))]);
  assert.equal(quiet, {
    code: 1,
    out: '',
    err: 'internal error x is undefined\nthis is a bug; set EIGEN_DEBUG=1 for the stack\n',
  });
  assert.match((await run('fail', [failing(new TypeError('x'))], { env: { EIGEN_DEBUG: '1' } })).err, 'at ');
});

test('a verdict of no comes with the answer and the exit code 4', async () => {
  const body = defineCommand({
    examples: [],
    args: [],
    flags: {},
    run: async () => ({ data: { bytes: 7 }, text: 'table', verdict: new EigenError('EW2003_DOES_NOT_FIT', 'too big') }),
  });
  const no = entry('no', 'Says no', async () => body);
  assert.equal(await run('no', [no]), { code: 4, out: 'table\n', err: 'error too big (EW2003_DOES_NOT_FIT)\n' });
  const document = JSON.parse((await run('no --json', [no])).out);
  assert.is(document.ok, false);
  assert.equal(document.data, { bytes: 7 });
  assert.is(document.error.code, 'EW2003_DOES_NOT_FIT');
});

test('help and version', async () => {
  assert.is((await run('--version')).out, '1.2.3\n');
  assert.match((await run('')).out, 'Counts to a number');
  const help = (await run('count --help')).out;
  assert.match(help, 'eigenweights count WAY --to N [flags]');
  assert.ok(help.indexOf('Examples') < help.indexOf('Flags'));
});

/** A command that works until it is aborted, and leaves at once then. */
const patient = defineCommand({
  examples: [],
  args: [],
  flags: {},
  run: (_, context) =>
    new Promise((_resolve, reject) => {
      context.leaves('out.ewb was not written');
      context.signal.addEventListener('abort', () => reject(new Error('stopped in the middle')));
    }),
});

test('Ctrl-C once stops cleanly and says what is left, twice ends at once', async () => {
  const io = fakeIo();
  const done = runCli(['wait'], [entry('wait', 'Waits', async () => patient)], io);
  // The command is loaded first.
  await new Promise(setImmediate);
  io.press();
  io.press();
  assert.is(await done, 130);
  assert.equal(io.exits, [130]);
  assert.match(io.err(), 'error interrupted (EW1004_INTERRUPTED)');
  assert.match(io.err(), 'out.ewb was not written');
});

test('--timeout stops like an interruption', async () => {
  const r = await run('wait --timeout 1', [entry('wait', 'Waits', async () => patient)]);
  assert.is(r.code, 130);
  assert.match(r.err, 'stopped after --timeout 1 s');
});

test.run();
