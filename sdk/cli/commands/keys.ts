import {
  delegateTo,
  initKeys,
  type KeysReport,
  type KeysRequest,
  type NewKey,
  newKey,
  revokeKey,
  rotateKeys,
  type SignedRoot,
  showKeys,
  signRootFile,
  signStaged,
} from '../../index.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, type Context, defineCommand, repeatFlag, valueFlag } from '../command.ts';
import { table } from '../format.ts';
import { pathIn, readCount, readText } from '../values.ts';

const ACTIONS = ['new', 'init', 'show', 'rotate', 'revoke', 'delegate', 'sign'] as const;
type Action = (typeof ACTIONS)[number];

/** Who wants a key from the environment puts it here, as PEM. */
const VARIABLE = 'EIGEN_SIGNING_KEYS';

export const signingKeys = repeatFlag(
  'PATH',
  `more secret keys, files or folders; PEM texts in ${VARIABLE} are used too`,
  (texts) => texts,
);

/** The data folder, and the keys that are at hand. */
export function signingRequest(folder: string, paths: readonly string[], { cwd, env }: Context): KeysRequest {
  const pem = env[VARIABLE];
  return { folder, keys: paths.map((path) => pathIn(cwd, path)), ...(pem === undefined ? {} : { pem }) };
}

export const keys = defineCommand({
  examples: [
    'eigenweights keys init fleet',
    'eigenweights keys show fleet',
    'eigenweights keys rotate fleet timestamp --key /media/stick',
    'eigenweights keys revoke fleet 3f9c01ab --key /media/stick',
    'eigenweights keys delegate fleet kws --path "kws/*/*"',
    'eigenweights keys sign fleet --key root-2.pem',
    'eigenweights keys new ~/fleet-key',
    'eigenweights keys init fleet --public ana.pub --public ben.pub --public eva.pub --threshold 2',
    'eigenweights keys sign root.json --key ~/fleet-key',
    'eigenweights keys sign fleet --signed ana/root.json --signed eva/root.json',
  ],
  args: [
    { name: 'ACTION', help: ACTIONS.join(', ') },
    {
      name: 'DIR',
      help: 'data folder of the fleet: keys/ and metadata/ are in it; new: where a key of your own is put; sign: or a .json file, a copy of staged/root.json',
    },
    { name: 'WHAT', help: 'rotate, delegate: a role; revoke: the first digits of a key, or a role', optional: true },
  ],
  flags: {
    key: repeatFlag(
      'PATH',
      `more secret keys, files or folders; PEM texts in ${VARIABLE} are used too`,
      (texts) => texts,
    ),
    path: repeatFlag(
      'PATTERN',
      'delegate: FAMILY/BOARD/NAME that the role signs for, with * for any',
      (texts) => texts,
    ),
    public: repeatFlag(
      'PATH',
      'init, rotate: public keys of people who keep the secret halves, in place of keys made here',
      (texts) => texts,
    ),
    signed: repeatFlag('PATH', 'sign: copies of staged/root.json that others have signed', (texts) => texts),
    'root-keys': valueFlag('N', 'init: keys of the root, of which --threshold have to sign (3)', readCount),
    threshold: valueFlag('N', 'init: how many of them (2); rotate: of the new ones (as before)', readCount),
  },
  next: 'eigenweights keys show DIR',
  async run({ args, flags }, context): Promise<Answer> {
    const [action, folder, what] = [readAction(args[0]!), pathIn(context.cwd, args[1]!), args[2]];
    const needed = (): string => {
      if (what !== undefined) return readText(what);
      throw new EigenError('EW1001_USAGE', `keys ${action}: say of what`, { hint: 'eigenweights keys --help' });
    };
    const request = signingRequest(folder, flags.key, context);
    if (context.dryRun && action !== 'show') return { data: { action, folder }, text: `would ${action} in ${args[1]}` };
    if (action === 'new') return newAnswer(await newKey(folder));
    if (action === 'sign' && folder.endsWith('.json'))
      return signedAnswer(args[1]!, await signRootFile(folder, request));
    const [paths, threshold] = [flags.public.map((path) => pathIn(context.cwd, path)), flags.threshold];
    const report = await {
      init: () =>
        initKeys(request, { rootKeys: flags['root-keys'] ?? 3, threshold: threshold ?? 2, publicKeys: paths }),
      show: () => showKeys(request),
      rotate: () =>
        rotateKeys(request, needed(), { publicKeys: paths, ...(threshold === undefined ? {} : { threshold }) }),
      revoke: () => revokeKey(request, needed()),
      delegate: () => delegateTo(request, needed(), flags.path),
      sign: () =>
        signStaged(
          request,
          flags.signed.map((path) => pathIn(context.cwd, path)),
        ),
    }[action]();
    return { data: report, text: textOf(report, action) };
  },
});

function readAction(text: string): Action {
  const action = ACTIONS.find((a) => a === text);
  if (action) return action;
  throw new EigenError('EW1001_USAGE', `keys: there is no '${text}'`, { hint: `It is one of ${ACTIONS.join(', ')}.` });
}

const short = (id: string): string => id.slice(0, 8);

function newAnswer(made: NewKey): Answer {
  const text = `key ${short(made.id)}\nwrote ${made.secret}\nwrote ${made.public}`;
  return {
    data: made,
    text: `${text}\nKeep the first where only you can read it, give the second to who makes the root.`,
  };
}

function signedAnswer(file: string, signed: SignedRoot): Answer {
  const rows = signed.roles.map(({ role, threshold, keys: ids }) => [
    role,
    `${threshold} of ${ids.length}`,
    ids.map(short).join(' '),
  ]);
  const text = `${table([['role', 'sign', 'keys'], ...rows])}\nroot ${signed.version} is signed by ${signed.by.map(short).join(', ')} in ${file}`;
  return { data: signed, text };
}

function textOf({ roles, files, staged, wrote }: KeysReport, action: Action): string {
  const rows = roles.map(({ role, threshold, keys: own, paths }) => {
    const file = files.find((f) => f.role === role);
    return [
      role,
      `${threshold} of ${own.length}`,
      own.map(({ id, here }) => `${short(id)}${here ? '*' : ''}`).join(' '),
      file ? `${file.version}` : '',
      file ? file.expires.slice(0, 10) : '',
      paths?.join(' ') ?? '',
    ];
  });
  const lines = [table([['role', 'sign', 'keys (* at hand)', 'version', 'expires', ''], ...rows], [3])];
  if (staged) {
    const missing = staged.awaited.map(
      ({ by, needed, keys: open }) => `${needed} of ${open.map((k) => short(k.id)).join(', ')} (the ${by} root's)`,
    );
    lines.push(`root ${staged.version} waits: ${missing.join(' and ') || 'eigenweights keys sign makes it valid'}`);
  }
  lines.push(...wrote.map((path) => `wrote ${path}`));
  if (action === 'init' && !staged)
    lines.push('Keep the keys of root and targets off this machine, each in a place of its own.');
  if (action === 'rotate') lines.push('The old key is void once the new metadata is out: delete its file.');
  return lines.join('\n');
}
