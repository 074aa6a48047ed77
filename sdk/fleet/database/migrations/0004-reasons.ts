import type { Migration } from './migration.ts';

/** Why devices wait, and why updates ended badly, in their own words; and which agents run on them. */
export const reasons: Migration = {
  number: 4,
  name: 'reasons',
  statements: [
    'alter table devices add column why text, add column self text',
    'alter table reports add column step text, add column reason text',
    'alter table desired add column reason text',
    'alter table rollout_members add column reason text',
  ],
};
