import type { FleetTask } from '../controller/controller.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How long measurements are kept, and enrolment tokens that are over. */
const KEEP_HEALTH = 7 * DAY;
const KEEP_TOKENS = 30 * DAY;

/** Clears away what is old, and the dead rows: PGlite has nobody else who does. */
export const housekeeping: FleetTask = {
  name: 'housekeeping',
  every: HOUR,
  async run({ database, now, fence }) {
    await database.transaction(async (db) => {
      await fence(db);
      await db.query('delete from health where at < $1', [now - KEEP_HEALTH]);
      await db.query('delete from enrolments where expires < $1', [now - KEEP_TOKENS]);
    });
    await database.query('vacuum analyze');
  },
};
