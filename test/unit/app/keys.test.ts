import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newKey, signRootFile } from '../../../sdk/app/key-holders.ts';
import { delegateTo, initKeys, revokeKey, rotateKeys, showKeys, signStaged } from '../../../sdk/app/keys.ts';
import { runCli } from '../../../sdk/cli/app.ts';
import { COMMANDS } from '../../../sdk/cli/commands/index.ts';
import type { EigenError } from '../../../sdk/util/errors.ts';
import { fakeIo } from '../../support/cli-io.ts';

let folder = '';
let fleet = '';

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eigenweights-keys-'));
  fleet = join(folder, 'fleet');
});

test.after.each(() => rm(folder, { recursive: true, force: true }));

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (e: EigenError) => e.code,
  );
}

/** Takes the keys of the root away, each to a folder of its own; returns the folders. */
async function takeRootKeysAway(): Promise<string[]> {
  const names = (await readdir(join(fleet, 'keys'))).filter((name) => name.startsWith('root-'));
  for (const name of names) {
    await mkdir(join(folder, name));
    await rename(join(fleet, 'keys', name), join(folder, name, name));
  }
  return names.map((name) => join(folder, name));
}

test('keys are files of their own that nobody else may read', async () => {
  const { wrote, roles } = await initKeys({ folder: fleet }, { rootKeys: 3, threshold: 2 });
  assert.is(wrote.length, 7);
  for (const path of wrote) assert.is((await stat(path)).mode & 0o777, 0o600, path);
  assert.equal(
    roles.map((r) => [r.role, r.threshold, r.keys.length]),
    [
      ['root', 2, 3],
      ['targets', 1, 1],
      ['snapshot', 1, 1],
      ['timestamp', 1, 1],
      ['director', 1, 1],
    ],
  );
  assert.is(await codeOf(initKeys({ folder: fleet }, { rootKeys: 1, threshold: 1 })), 'EW8103_ROLES_INVALID');
  assert.is(await codeOf(initKeys({ folder: `${fleet}-2` }, { rootKeys: 1, threshold: 2 })), 'EW8103_ROLES_INVALID');
  assert.is(await codeOf(showKeys({ folder: `${fleet}-2` })), 'EW1002_FILE_NOT_FOUND');
});

test('a key that others may read is not used', async () => {
  const { wrote } = await initKeys({ folder: fleet }, { rootKeys: 1, threshold: 1 });
  await chmod(wrote[0]!, 0o644);
  assert.is(await codeOf(rotateKeys({ folder: fleet }, 'timestamp')), 'EW8101_KEY_UNUSABLE');
});

test('a root is signed by one after another, and valid with the last', async () => {
  await initKeys({ folder: fleet }, { rootKeys: 3, threshold: 2 });
  const [first, second] = await takeRootKeysAway();
  const rotated = await rotateKeys({ folder: fleet }, 'timestamp');
  assert.equal(
    rotated.staged?.awaited.map((a) => [a.by, a.needed]),
    [
      ['present', 2],
      ['next', 2],
    ],
  );
  assert.is(rotated.files.find((f) => f.role === 'root')?.version, 1);
  const signed = await signStaged({ folder: fleet, keys: [first!] });
  assert.equal(
    signed.staged?.awaited.map((a) => a.needed),
    [1, 1],
  );
  // The same again is no second signature.
  assert.equal(
    (await signStaged({ folder: fleet, keys: [first!] })).staged?.awaited.map((a) => a.needed),
    [1, 1],
  );
  const done = await signStaged({ folder: fleet, keys: [second!] });
  assert.is(done.staged, undefined);
  assert.is(done.files.find((f) => f.role === 'root')?.version, 2);
  assert.is(done.files.find((f) => f.role === 'timestamp')?.version, 2);
  assert.is(await codeOf(signStaged({ folder: fleet, keys: [second!] })), 'EW8103_ROLES_INVALID');
});

test('people who keep their own keys make a root together', async () => {
  const people = await Promise.all(['ana', 'ben', 'eva'].map((name) => newKey(join(folder, name))));
  for (const { secret } of people) assert.is((await stat(secret)).mode & 0o777, 0o600);
  const publicKeys = people.map((p) => p.public);
  const owners = { rootKeys: 3, threshold: 2, publicKeys };
  const made = await initKeys({ folder: fleet }, owners);
  assert.not(made.wrote.some((path) => path.includes('root-')));
  assert.equal(
    made.staged?.awaited.map((a) => [a.by, a.needed, a.keys.map((k) => k.id)]),
    [['next', 2, people.map((p) => p.id)]],
  );
  assert.equal((await showKeys({ folder: fleet })).files, []);
  assert.is(await codeOf(initKeys({ folder: fleet }, owners)), 'EW8103_ROLES_INVALID');
  assert.is(await codeOf(rotateKeys({ folder: fleet }, 'timestamp')), 'EW8103_ROLES_INVALID');
  // Two of them sign copies, each on a machine of their own, with nothing else there.
  const copies = ['ana', 'eva'].map((name) => join(folder, name, 'root.json'));
  for (const [i, copy] of copies.entries()) {
    await copyFile(join(fleet, 'staged/root.json'), copy);
    const { roles, by } = await signRootFile(copy, { keys: [join(folder, ['ana', 'eva'][i]!)] });
    assert.equal(roles[0], { role: 'root', threshold: 2, keys: people.map((p) => p.id) });
    assert.is(by.length, 1);
  }
  const half = await signStaged({ folder: fleet }, copies.slice(0, 1));
  assert.equal(
    half.staged?.awaited.map((a) => a.needed),
    [1],
  );
  const done = await signStaged({ folder: fleet }, copies);
  assert.is(done.staged, undefined);
  assert.equal(
    done.files.map((f) => [f.role, f.version]),
    [
      ['root', 1],
      ['targets', 1],
      ['snapshot', 1],
      ['timestamp', 1],
    ],
  );
  // Ben, who was ill, and Ana hand over to two others.
  const next = await Promise.all(['ida', 'uwe'].map((name) => newKey(join(folder, name))));
  const rotation = { publicKeys: next.map((p) => p.public) };
  const staged = await rotateKeys({ folder: fleet, keys: [join(folder, 'ana')] }, 'root', rotation);
  assert.equal(
    staged.staged?.awaited.map((a) => [a.by, a.needed]),
    [
      ['present', 1],
      ['next', 2],
    ],
  );
  const copy = join(folder, 'root.json');
  await copyFile(join(fleet, 'staged/root.json'), copy);
  for (const name of ['ben', 'ida', 'uwe']) await signRootFile(copy, { keys: [join(folder, name)] });
  const after = await signStaged({ folder: fleet }, [copy]);
  assert.is(after.files[0]!.version, 2);
  assert.equal(
    after.roles[0]!.keys.map((k) => k.id),
    next.map((p) => p.id),
  );
});

test('what is no public key, or no copy of the root that waits, is refused', async () => {
  const { secret, ...ana } = await newKey(join(folder, 'ana'));
  const owners = (...publicKeys: string[]) => ({ rootKeys: 1, threshold: 1, publicKeys });
  assert.is(await codeOf(initKeys({ folder: fleet }, owners(secret))), 'EW8101_KEY_UNUSABLE');
  assert.is(await codeOf(initKeys({ folder: fleet }, owners(join(folder, 'none.pub')))), 'EW1002_FILE_NOT_FOUND');
  assert.is(await codeOf(initKeys({ folder: fleet }, owners(ana.public, ana.public))), 'EW8103_ROLES_INVALID');
  const tooMany = { ...owners(ana.public), threshold: 2 };
  assert.is(await codeOf(initKeys({ folder: fleet }, tooMany)), 'EW8103_ROLES_INVALID');
  await initKeys({ folder: fleet }, owners(ana.public));
  const staged = join(fleet, 'staged/root.json');
  const copy = join(folder, 'root.json');
  await copyFile(staged, copy);
  assert.is(await codeOf(signRootFile(copy, {})), 'EW8102_SIGNATURES_MISSING');
  // Somebody else's key is no signature, and somebody else's root no copy.
  await newKey(join(folder, 'eve'));
  await signRootFile(copy, { keys: [join(folder, 'eve')] });
  assert.is((await signStaged({ folder: fleet }, [copy])).staged?.awaited[0]?.needed, 1);
  const { signed, signatures } = JSON.parse(await readFile(copy, 'utf8'));
  for (const change of [{ version: 2 }, { expires: '2099-01-01T00:00:00Z' }, { roles: 1 }, { _type: 'targets' }]) {
    await writeFile(copy, JSON.stringify({ signed: { ...signed, ...change }, signatures }));
    assert.is(await codeOf(signStaged({ folder: fleet }, [copy])), 'EW8103_ROLES_INVALID', JSON.stringify(change));
  }
  for (const text of ['', '{}', '[]', 'null', '{"signed":null,"signatures":[]}']) {
    await writeFile(copy, text);
    assert.is(await codeOf(signRootFile(copy, { keys: [secret] })), 'EW8103_ROLES_INVALID', text);
  }
  assert.is((await signStaged({ folder: fleet, keys: [secret] })).staged, undefined);
});

test('the command takes people through it', async () => {
  const run = async (...words: string[]): Promise<string> => {
    const io = fakeIo({ cwd: folder });
    assert.is(await runCli(['keys', ...words], COMMANDS, io), 0, io.err());
    return io.out();
  };
  for (const name of ['ana', 'ben']) assert.match(await run('new', name), /key [0-9a-f]{8}\n/);
  const publicOf = async (name: string): Promise<string> =>
    join(name, (await readdir(join(folder, name))).find((file) => file.endsWith('.pub'))!);
  const files = ['--public', await publicOf('ana'), '--public', await publicOf('ben')];
  assert.match(await run('init', 'fleet', ...files), /root 1 waits: 2 of/);
  await copyFile(join(fleet, 'staged/root.json'), join(folder, 'root.json'));
  assert.match(await run('sign', 'root.json', '--key', 'ana'), /root +2 of 2/);
  assert.match(await run('sign', 'fleet', '--signed', 'root.json', '--key', 'ben'), /timestamp +1 of 1/);
});

test('keys from the environment sign too', async () => {
  await initKeys({ folder: fleet }, { rootKeys: 2, threshold: 2 });
  const away = await takeRootKeysAway();
  const texts = [];
  for (const path of away) for (const name of await readdir(path)) texts.push(await readFile(join(path, name), 'utf8'));
  const done = await rotateKeys({ folder: fleet, pem: texts.join('\n') }, 'director');
  assert.is(done.staged, undefined);
  assert.is(done.files[0]!.version, 2);
  assert.is(await codeOf(showKeys({ folder: fleet, pem: 'secret' })), 'EW8101_KEY_UNUSABLE');
});

test('a key is revoked where enough are left', async () => {
  const { roles } = await initKeys({ folder: fleet }, { rootKeys: 3, threshold: 2 });
  const [root, , , timestamp] = roles;
  const after = await revokeKey({ folder: fleet }, root!.keys[0]!.id.slice(0, 8));
  assert.is(after.roles[0]!.keys.length, 2);
  assert.is(await codeOf(revokeKey({ folder: fleet }, timestamp!.keys[0]!.id)), 'EW8103_ROLES_INVALID');
  assert.is(await codeOf(revokeKey({ folder: fleet }, root!.keys[1]!.id)), 'EW8103_ROLES_INVALID');
  assert.is(await codeOf(revokeKey({ folder: fleet }, 'no such key')), 'EW8103_ROLES_INVALID');
});

test('roles that targets delegate to come, get other keys, and go', async () => {
  await initKeys({ folder: fleet }, { rootKeys: 1, threshold: 1 });
  const made = await delegateTo({ folder: fleet }, 'kws', ['kws/*/*']);
  const id = made.roles.at(-1)!.keys[0]!.id;
  const rotated = await rotateKeys({ folder: fleet }, 'kws');
  assert.equal(rotated.roles.at(-1)!.paths, ['kws/*/*']);
  assert.is.not(rotated.roles.at(-1)!.keys[0]!.id, id);
  const gone = await revokeKey({ folder: fleet }, 'kws');
  assert.is(gone.roles.length, 5);
  for (const name of ['root', 'assignment-x', '../x', ''])
    assert.is(await codeOf(delegateTo({ folder: fleet }, name, ['kws/*/*'])), 'EW8103_ROLES_INVALID', name);
  assert.is(await codeOf(rotateKeys({ folder: fleet }, 'kws')), 'EW8103_ROLES_INVALID');
});

test('the command prints no secret, whatever it does', async () => {
  const secrets: string[] = [];
  const steps = ['init', 'show', 'rotate director', 'revoke ffff', 'delegate kws --path kws/*/*', 'sign', 'nonsense'];
  for (const step of steps) {
    const [action, ...rest] = step.split(' ');
    for (const json of [[], ['--json']]) {
      const io = fakeIo({ cwd: folder, env: { EIGEN_SIGNING_KEYS: secrets.join('\n') } });
      await runCli(['keys', action!, 'fleet', ...rest, ...json], COMMANDS, io);
      for (const name of await readdir(join(fleet, 'keys')))
        secrets.push(await readFile(join(fleet, 'keys', name), 'utf8'));
      const printed = io.out() + io.err();
      assert.ok(printed.length > 0);
      for (const secret of secrets) assert.not(printed.includes(secret.split('\n')[1]!), `${step} prints a key`);
    }
  }
});

test.run();
