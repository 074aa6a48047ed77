export { type Database, exactNumber } from './database.ts';
export { openEmbedded } from './embedded.ts';
export { openServer, type ServerOptions } from './postgres.ts';
