import type { Migration } from './migration.ts';

/**
 * Rows that change with every message leave room for their next version on the same page: without an index on what changes, old versions
 * are then cleared by whoever reads the page, and the table does not grow.
 */
export const devices: Migration = {
  number: 1,
  name: 'devices',
  statements: [
    `create table devices (
      name text primary key,
      shard text not null,
      tags jsonb not null default '{}',
      first_seen bigint not null,
      last_seen bigint not null,
      -- Presence: the newest connection that is known of, and whether it has ended.
      epoch bigint not null default -1,
      closed boolean not null default true,
      -- Its last birth.
      agent text, board text, profile text, running text,
      slots jsonb not null default '[]',
      metadata jsonb,
      -- Of the desired state that it knows.
      rev bigint not null default 0,
      -- Its last status, by epoch and seq.
      status_epoch bigint not null default -1, status_seq bigint not null default -1,
      step text, done bigint, total bigint,
      -- Its last measurement: microseconds, bytes.
      health_epoch bigint not null default -1, health_seq bigint not null default -1,
      p95 bigint, memory bigint, temperature double precision
    ) with (fillfactor = 60)`,
    'create index devices_shard on devices (shard)',
    // What a device is to be, one row a device, and what became of telling it.
    `create table desired (
      device text primary key references devices on delete cascade,
      rev bigint not null,
      action text not null,
      target text not null,
      -- Of the decision that it comes from.
      key text not null,
      at bigint not null,
      deadline bigint,
      -- pending, delivered, then committed, rolled-back, refused, failed or stalled.
      state text not null,
      code text,
      ended bigint,
      attempts int not null default 0,
      -- When it is published again; null when the device knows it.
      next_at bigint
    ) with (fillfactor = 60)`,
    // What was ever decided. A key is decided once, whoever tries it again.
    `create table decisions (
      key text primary key,
      device text not null references devices on delete cascade,
      rev bigint not null,
      action text not null,
      target text not null,
      -- Who or what wanted it.
      source text not null,
      at bigint not null,
      unique (device, rev)
    )`,
    'create index desired_due on desired (next_at) where next_at is not null',
    `create index desired_deadline on desired (deadline) where ended is null and deadline is not null`,
    `create table reports (
      device text not null references devices on delete cascade,
      epoch bigint not null, seq bigint not null,
      at bigint not null,
      rev bigint not null,
      outcome text not null,
      running text, code text, attack text,
      received bigint not null,
      p95 bigint, memory bigint,
      primary key (device, epoch, seq)
    )`,
    `create table health (
      device text not null references devices on delete cascade,
      epoch bigint not null, seq bigint not null,
      at bigint not null,
      running text not null,
      runs bigint not null, failures bigint not null,
      p95 bigint, memory bigint, temperature double precision,
      metrics jsonb not null default '{}',
      primary key (device, epoch, seq)
    )`,
    'create index health_at on health (at)',
    // Controllers that share the work. A lease is good while its holder's beat is; its token grows with every holder.
    'create table controllers (id text primary key, beat bigint not null) with (fillfactor = 50)',
    'create table leases (name text primary key, holder text not null, token bigint not null) with (fillfactor = 60)',
  ],
};
