import type { Clock } from '../util/clock.ts';
import type { AuditLog } from './access/audit.ts';
import type { Enrolment } from './access/enrolment.ts';
import type { ApiTokens } from './access/tokens.ts';
import type { Uploads } from './blobs/index.ts';
import type { Controller } from './controller/controller.ts';
import type { Metrics } from './controller/metrics.ts';
import type { Database } from './database/index.ts';
import type { Logger } from './log.ts';
import type { FleetTrust } from './trust/service.ts';

/** What the API works on. */
export interface Fleet {
  readonly database: Database;
  readonly controller: Pick<Controller, 'publishSoon' | 'ready'>;
  readonly audit: AuditLog;
  readonly tokens: ApiTokens;
  readonly enrolment: Enrolment;
  readonly uploads: Uploads;
  /** Bundles that devices may run, by FAMILY/BOARD/NAME. */
  readonly listed: FleetTrust['listed'];
  /** Takes a list of them that was signed elsewhere. */
  readonly publishTargets: FleetTrust['publish'];
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly namespace: string;
  /** How devices reach the broker: mqtt://host:port or mqtts://. */
  readonly brokerUrl: string;
  /** Ends the connection of a device whose credentials hold no more, where the broker is ours. */
  expel(device: string): void;
}
