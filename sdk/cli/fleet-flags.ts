import { FleetClient } from '../app/fleet-client.ts';
import type { FleetAccess } from '../index.ts';
import { type Context, type FlagValues, valueFlag } from './command.ts';
import { pathIn, readText } from './values.ts';

/** Flags of commands that ask a controller. */
export const FLEET_FLAGS = {
  url: valueFlag('URL', 'address of the controller; EIGEN_URL by default', readText),
  'token-file': valueFlag('FILE', 'file with a token of its API; EIGEN_TOKEN by default', readText),
  ca: valueFlag('FILE', "PEM file of the authority of the controller's certificate; EIGEN_CA by default", readText),
  data: valueFlag('DIR', 'data folder of a controller on this machine, in place of the three', readText),
};

/** The controller that the flags name. */
export function fleetClient(flags: FlagValues<typeof FLEET_FLAGS>, { cwd, env }: Context): Promise<FleetClient> {
  const path = (given: string | undefined): string | undefined =>
    given === undefined ? undefined : pathIn(cwd, given);
  const access: FleetAccess = {
    url: flags.url,
    tokenFile: path(flags['token-file']),
    caFile: path(flags.ca),
    data: path(flags.data),
  };
  return FleetClient.open(access, env);
}
