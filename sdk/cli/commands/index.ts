import type { Command } from '../command.ts';
import { doctor } from './doctor.ts';
import { explain } from './explain.ts';
import { targets } from './targets.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [targets, doctor, explain];
