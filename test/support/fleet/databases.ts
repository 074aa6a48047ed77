import { type Database, openEmbedded, openServer } from '../../../sdk/fleet/database/index.ts';

/** A kind of database that the controller works on, opened empty. */
export interface DatabaseKind {
  readonly name: string;
  open(): Promise<Database>;
}

const embedded: DatabaseKind = { name: 'PGlite', open: () => openEmbedded() };

/** Set to a server's postgres:// address with a role that may create databases. */
export const SERVER = 'EIGEN_POSTGRES';

/** Databases of a server; each opening makes a new one, `close` drops it. */
export function serverKind(url: string): DatabaseKind {
  return {
    name: 'PostgreSQL',
    async open() {
      const name = `eigen_${process.pid}_${Math.floor(performance.now() * 1000)}`;
      const admin = await openServer({ url });
      await admin.query(`create database ${name}`);
      const own = new URL(url);
      own.pathname = `/${name}`;
      const database = await openServer({ url: own.href });
      return {
        ...database,
        close: async () => {
          await database.close();
          await admin.query(`drop database ${name}`);
          await admin.close();
        },
      };
    },
  };
}

/** The databases of this machine. */
export function databaseKinds(env: Readonly<Record<string, string | undefined>> = process.env): DatabaseKind[] {
  const url = env[SERVER];
  return url ? [embedded, serverKind(url)] : [embedded];
}
