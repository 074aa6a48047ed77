import type { Migration } from './migration.ts';

/** Secrets are kept as SHA-256: they are 256 random bits each, which nobody can try through. */
export const access: Migration = {
  number: 2,
  name: 'access',
  statements: [
    // One-time tokens of devices that are to enrol.
    `create table enrolments (
      id text primary key,
      hash text not null unique,
      tags jsonb not null default '{}',
      created bigint not null,
      expires bigint not null,
      used_at bigint,
      used_by text
    )`,
    // What devices prove themselves with: a password, or a certificate named by its SHA-256.
    `create table credentials (
      device text primary key references devices on delete cascade,
      kind text not null,
      hash text not null,
      created bigint not null,
      revoked bigint
    )`,
    `create table api_tokens (
      id text primary key,
      name text not null,
      role text not null,
      hash text not null unique,
      created bigint not null,
      expires bigint,
      revoked bigint
    )`,
    `create table audit (
      n bigint primary key,
      at bigint not null,
      actor text not null,
      action text not null,
      subject text not null,
      -- JSON as it was hashed.
      details text not null,
      previous text not null,
      hash text not null
    )`,
    // The last entry, known apart from it: one that is cut off is missed.
    'create table audit_head (one boolean primary key default true check (one), n bigint not null, hash text not null)',
  ],
};
