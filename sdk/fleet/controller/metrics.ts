import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What Prometheus reads of a controller. Figures of the fleet are of the shards that it holds: their sum over controllers is the fleet's. */
export class Metrics {
  readonly registry = new Registry();
  private readonly registers = [this.registry];

  readonly messages = this.counter('eigenweights_messages_total', 'Messages of devices that were understood', ['type']);
  readonly refused = this.counter(
    'eigenweights_messages_refused_total',
    'Messages that were not, by the code of the error',
    ['code'],
  );
  readonly unwritable = this.counter(
    'eigenweights_messages_unwritable_total',
    'Messages that were left because the database refuses what is in them',
  );
  readonly dropped = this.gauge(
    'eigenweights_messages_dropped',
    'Messages given up because the database was away for too long',
  );
  readonly waiting = this.gauge('eigenweights_messages_waiting', 'Messages that wait to be written');
  readonly batches = this.histogram('eigenweights_batch_seconds', 'Time to write a batch of messages', SECONDS);
  readonly batchSizes = this.histogram(
    'eigenweights_batch_messages',
    'Messages in a batch',
    [1, 10, 100, 1000, 10_000],
  );
  readonly appeared = this.counter('eigenweights_devices_appeared_total', 'Devices that were not known before');
  readonly reports = this.counter('eigenweights_reports_total', 'Ends of updates by outcome', ['outcome']);
  readonly attacks = this.counter(
    'eigenweights_attacks_total',
    'Updates that devices refused as attacks, by their names',
    ['attack'],
  );
  readonly published = this.counter(
    'eigenweights_desired_published_total',
    'Desired states published, by whether they were repeated',
    ['repeated'],
  );
  readonly publishFailed = this.counter(
    'eigenweights_desired_failed_total',
    'Desired states that could not be published',
  );
  readonly decided = this.counter('eigenweights_decisions_total', 'Decisions taken through this controller', [
    'action',
  ]);
  readonly stalled = this.counter('eigenweights_stalled_total', 'Devices that did not end by their deadline');
  readonly leases = this.gauge('eigenweights_leases_held', 'Shards and tasks that this controller holds');
  readonly taken = this.counter('eigenweights_leases_taken_total', 'Shards and tasks that it took');
  readonly lost = this.counter(
    'eigenweights_leases_lost_total',
    'Writes refused because another controller had taken over',
  );
  readonly devices = this.gauge('eigenweights_devices', 'Devices of the shards held', ['presence']);
  readonly states = this.gauge('eigenweights_desired', 'Desired states of the shards held', ['state']);
  readonly boards = this.gauge('eigenweights_devices_by_board', 'Devices of the shards held, by board', ['board']);
  readonly connected = this.gauge('eigenweights_broker_connected', 'Whether there is a connection to the broker');
  readonly clients = this.gauge('eigenweights_broker_clients', 'Connections of the embedded broker');
  readonly brokerRefused = this.counter('eigenweights_broker_refused_total', 'What the embedded broker refused', [
    'what',
  ]);
  readonly requests = this.histogram('eigenweights_http_seconds', 'Requests of the API', SECONDS, [
    'method',
    'route',
    'status',
  ]);
  readonly taskSeconds = this.histogram('eigenweights_task_seconds', 'Time of the periodic work', SECONDS, ['task']);
  readonly taskFailed = this.counter('eigenweights_task_failed_total', 'Periodic work that failed', ['task']);
  readonly audited = this.counter(
    'eigenweights_audit_entries_total',
    'Entries added to the audit log by this controller',
  );
  readonly enrolled = this.counter('eigenweights_enrolments_total', 'Attempts to enrol, by result', ['result']);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  private counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: this.registers });
  }

  private gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: this.registers });
  }

  private histogram<L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    return new Histogram({ name, help, buckets, labelNames, registers: this.registers });
  }
}
