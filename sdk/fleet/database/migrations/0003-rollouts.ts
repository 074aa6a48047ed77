import type { Migration } from './migration.ts';

export const rollouts: Migration = {
  number: 3,
  name: 'rollouts',
  statements: [
    `create table rollouts (
      id text primary key,
      spec jsonb not null,
      phase text not null,
      -- What else is known of it as a whole.
      state jsonb not null,
      -- Grows with every change: decisions that were made of an older one are not taken.
      revision bigint not null default 0,
      created bigint not null,
      created_by text not null,
      changed bigint not null
    )`,
    `create table rollout_members (
      rollout text not null references rollouts on delete cascade,
      device text not null references devices on delete cascade,
      wave int not null,
      late boolean not null,
      state text not null,
      undone boolean not null,
      attempt int not null,
      failures int not null,
      target text, previous text,
      refused jsonb not null,
      offered bigint, contacted bigint, not_before bigint,
      code text,
      primary key (rollout, device)
    ) with (fillfactor = 70)`,
    'create index rollout_members_device on rollout_members (device)',
    // What was decided, each once under its key, in this order.
    `create table rollout_decisions (
      n bigserial primary key,
      rollout text not null references rollouts on delete cascade,
      key text not null,
      at bigint not null,
      decision jsonb not null,
      unique (rollout, key)
    )`,
  ],
};
