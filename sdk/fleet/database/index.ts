export { type Database, exactNumber, isRefusedValue } from './database.ts';
export { openEmbedded } from './embedded.ts';
export { openServer, type ServerOptions } from './postgres.ts';
