import type { Command } from '../command.ts';
import { agent } from './agent.ts';
import { apply } from './apply.ts';
import { audit } from './audit.ts';
import { bench } from './bench.ts';
import { compile } from './compile.ts';
import { compress } from './compress.ts';
import { delta } from './delta.ts';
import { doctor } from './doctor.ts';
import { enrol } from './enrol.ts';
import { explain } from './explain.ts';
import { exportCommand } from './export.ts';
import { firmware } from './firmware.ts';
import { fit } from './fit.ts';
import { frontier } from './frontier.ts';
import { inspect } from './inspect.ts';
import { keys } from './keys.ts';
import { profile } from './profile.ts';
import { publish } from './publish.ts';
import { rollout } from './rollout.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { targets } from './targets.ts';
import { withdraw } from './withdraw.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  inspect,
  compress,
  frontier,
  compile,
  fit,
  firmware,
  run,
  bench,
  profile,
  exportCommand,
  delta,
  apply,
  keys,
  publish,
  withdraw,
  targets,
  agent,
  serve,
  enrol,
  rollout,
  audit,
  doctor,
  explain,
];
