import { hostname } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { serveFleet } from '../../app/serve.ts';
import { type Answer, defineCommand, repeatFlag, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { pathIn, readPort, readText } from '../values.ts';

const PORT = 8470;
const MQTT_PORT = 1883;
const MQTTS_PORT = 8883;
/**
 * The heap may become twice what was in use after the last collection, whatever the machine has: left alone it becomes four times that, and a
 * storm of 10,000 devices leaves half a gigabyte of garbage.
 */
const MOST_GROWTH_PERCENT = 100;

export const serve = defineCommand({
  examples: [
    'eigenweights serve --data fleet',
    'eigenweights serve --data fleet --tls --name fleet.example.com --host 0.0.0.0',
    'eigenweights serve --data fleet --broker mqtts://broker:8883 --broker-user eigen --broker-password-file pw --database-file db',
  ],
  args: [],
  flags: {
    data: requiredFlag(
      'DIR',
      'what it keeps, made where it is not there; secrets in it are for its owner only',
      readText,
    ),
    host: valueFlag('ADDRESS', 'where it listens; 127.0.0.1 by default', readText),
    port: valueFlag('PORT', `of the API and the blobs; ${PORT} by default, 0 takes a free one`, readPort),
    'mqtt-port': valueFlag('PORT', `of the broker; ${MQTT_PORT} by default, ${MQTTS_PORT} with --tls`, readPort),
    name: repeatFlag(
      'NAME',
      'name or address that devices reach it under, the first is what they are told',
      (texts) => texts,
    ),
    namespace: valueFlag('NAME', "of the fleet's topics; default by default", readText),
    tls: switchFlag('certificates for everybody, by an authority of its own: devices log in with theirs'),
    broker: valueFlag(
      'URL',
      'a broker elsewhere, in place of its own; that one decides who may what: see broker-rules',
      readText,
    ),
    'broker-user': valueFlag(
      'NAME',
      "its login there; without one and with --tls, a certificate of the fleet's authority for eigenweights.controller",
      readText,
    ),
    'broker-password-file': valueFlag('FILE', 'and its password', readText),
    'broker-ca': valueFlag('FILE', "PEM file of the authority of that broker's certificate", readText),
    'broker-cert': valueFlag('FILE', 'PEM file of its own certificate there', readText),
    'broker-key': valueFlag('FILE', 'and of its key', readText),
    'database-file': valueFlag(
      'FILE',
      'file with the postgres:// address of a server, in place of PGlite; controllers share it',
      readText,
    ),
    'audit-key-file': valueFlag(
      'FILE',
      'key of the audit log where controllers share a database: 32 random bytes',
      readText,
    ),
  },
  next: 'eigenweights enrol --data DIR',
  async run({ flags }, context): Promise<Answer> {
    const path = (given: string | undefined): string | undefined =>
      given === undefined ? undefined : pathIn(context.cwd, given);
    const host = flags.host ?? '127.0.0.1';
    const names = flags.name.length > 0 ? flags.name : [host === '0.0.0.0' || host === '::' ? hostname() : host];
    const request = {
      data: pathIn(context.cwd, flags.data),
      namespace: flags.namespace ?? 'default',
      host,
      port: flags.port ?? PORT,
      mqttPort: flags['mqtt-port'] ?? (flags.tls ? MQTTS_PORT : MQTT_PORT),
      names,
      tls: flags.tls,
      broker: flags.broker,
      brokerUser: flags['broker-user'],
      brokerPasswordFile: path(flags['broker-password-file']),
      brokerCaFile: path(flags['broker-ca']),
      brokerCertFile: path(flags['broker-cert']),
      brokerKeyFile: path(flags['broker-key']),
      databaseFile: path(flags['database-file']),
      auditKeyFile: path(flags['audit-key-file']),
    };
    if (context.dryRun) return { data: request, text: `would serve ${request.namespace} from ${request.data}` };
    context.leaves('what it had heard is written');
    setFlagsFromString(`--heap-growing-percent=${MOST_GROWTH_PERCENT}`);
    const served = await serveFleet(request, {
      signal: context.signal,
      log: (line) => context.note(line.trimEnd()),
    });
    return { data: served, text: '' };
  },
});
