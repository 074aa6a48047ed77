import { type CommandEntry, entry } from '../command.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  entry(
    'inspect',
    'Show what a model or bundle holds: inputs, outputs, operators, weights, parts',
    async () => (await import('./inspect.ts')).inspect,
  ),
  entry(
    'compress',
    'Compress a model under a size budget, keep its quality, compile it for a board and pack it',
    async () => (await import('./compress.ts')).compress,
  ),
  entry(
    'frontier',
    'Measure a model at several sizes, from one survey: quality, memory and time against bytes',
    async () => (await import('./frontier.ts')).frontier,
  ),
  entry(
    'compile',
    'Compile a model for a board as it is, in float, without compression',
    async () => (await import('./compile.ts')).compile,
  ),
  entry(
    'fit',
    'Say whether a model or bundle fits a board: storage, memory, latency, and where each number comes from',
    async () => (await import('./fit.ts')).fit,
  ),
  entry(
    'firmware',
    'Write a bundle or model as a self-contained C library for microcontrollers',
    async () => (await import('./firmware.ts')).firmware,
  ),
  entry(
    'run',
    'Run a bundle on samples from a .npz file, or prove it on its own golden inputs',
    async () => (await import('./run.ts')).run,
  ),
  entry(
    'bench',
    'Time a bundle against the original model in onnxruntime, interleaved in one process',
    async () => (await import('./bench.ts')).bench,
  ),
  entry(
    'profile',
    'Time every layer of a bundle on this machine: work done, speed reached, share of what the machine could do',
    async () => (await import('./profile.ts')).profile,
  ),
  entry(
    'export',
    'Write the network in a bundle, compressed or not, as an ONNX file for other runtimes',
    async () => (await import('./export.ts')).exportCommand,
  ),
  entry(
    'delta',
    'Write what leads from one bundle to another: a small update for devices that have the first',
    async () => (await import('./delta.ts')).delta,
  ),
  entry(
    'apply',
    'Make a new bundle from an old one and a delta, verified to the last byte',
    async () => (await import('./apply.ts')).apply,
  ),
  entry(
    'keys',
    'Make, rotate and revoke the keys that say what devices may run',
    async () => (await import('./keys.ts')).keys,
  ),
  entry(
    'publish',
    'Put a bundle where devices fetch from, and sign that they may run it',
    async () => (await import('./publish.ts')).publish,
  ),
  entry('upload', 'Bring a bundle to a controller over HTTP', async () => (await import('./upload.ts')).upload),
  entry(
    'withdraw',
    'Sign that devices may not install a bundle any more',
    async () => (await import('./withdraw.ts')).withdraw,
  ),
  entry(
    'targets',
    'List the boards that models can be built for, or show one of them',
    async () => (await import('./targets.ts')).targets,
  ),
  entry(
    'agent',
    'Run on a device: keep its model up to date and serve it to applications',
    async () => (await import('./agent.ts')).agent,
  ),
  entry(
    'serve',
    'Run a controller: broker, database, blobs and the API of a fleet',
    async () => (await import('./serve.ts')).serve,
  ),
  entry(
    'broker-rules',
    'Write what a broker elsewhere has to be told, so that devices have their own topics only',
    async () => (await import('./broker-rules.ts')).brokerRulesCommand,
  ),
  entry('enrol', 'Make a token with which one device enrols, once', async () => (await import('./enrol.ts')).enrol),
  entry(
    'devices',
    'Show what devices run, do and wait for; tag them, shut them out, forget them',
    async () => (await import('./devices.ts')).devices,
  ),
  entry('token', "Make, list and revoke tokens of a controller's API", async () => (await import('./token.ts')).token),
  entry(
    'rollout',
    'Bring a model to a fleet in waves, and stop or take it back where it does harm',
    async () => (await import('./rollout.ts')).rollout,
  ),
  entry(
    'audit',
    'Show what was done on a controller and by whom, or prove that the log of it is whole',
    async () => (await import('./audit.ts')).audit,
  ),
  entry(
    'doctor',
    'Look at this machine: what is there, what is missing, how to get it',
    async () => (await import('./doctor.ts')).doctor,
  ),
  entry(
    'explain',
    'Say what an error code means, what causes it and what to do',
    async () => (await import('./explain.ts')).explain,
  ),
];
