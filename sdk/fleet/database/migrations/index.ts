import { devices } from './0001-devices.ts';
import { access } from './0002-access.ts';
import { rollouts } from './0003-rollouts.ts';
import { reasons } from './0004-reasons.ts';
import type { Migration } from './migration.ts';

export type { Migration } from './migration.ts';

/** In the order that they are applied. */
export const MIGRATIONS: readonly Migration[] = [devices, access, rollouts, reasons];
