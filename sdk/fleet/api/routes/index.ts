import type { Route } from '../route.ts';
import { accessRoutes } from './access.ts';
import { blobRoutes } from './blobs.ts';
import { desiredRoutes } from './desired.ts';
import { deviceRoutes } from './devices.ts';
import { enrolmentRoutes } from './enrolments.ts';
import { metadataRoutes } from './metadata.ts';
import { rolloutRoutes } from './rollouts.ts';

/** Everything that the API answers; parts of the controller add theirs. */
export const ROUTES: readonly Route[] = [
  ...deviceRoutes,
  ...desiredRoutes,
  ...enrolmentRoutes,
  ...accessRoutes,
  ...rolloutRoutes,
  ...blobRoutes,
  ...metadataRoutes,
];
