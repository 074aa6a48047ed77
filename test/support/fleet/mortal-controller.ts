import { Controller } from '../../../sdk/fleet/controller/controller.ts';
import { Metrics } from '../../../sdk/fleet/controller/metrics.ts';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import { rolloutTask } from '../../../sdk/fleet/rollout/task.ts';
import type { Transport } from '../../../sdk/transport/index.ts';
import { systemClock } from '../../../sdk/util/clock.ts';

export interface MortalOptions {
  readonly id: string;
  readonly database: Database;
  readonly transport: Transport;
  readonly namespace: string;
}

/** Milliseconds between two looks at rollouts. */
const LOOK = 100;

/** A controller that can die as a process does: from one moment to the next it does nothing, and gives nothing back. */
export class MortalController {
  readonly id: string;
  /** Problems that it logged. */
  readonly problems: unknown[] = [];
  private readonly options: MortalOptions;
  private readonly controller: Controller;
  private dead = false;

  constructor(options: MortalOptions) {
    const { id, database, transport, namespace } = options;
    this.id = id;
    this.options = options;
    const clock = {
      ...systemClock,
      after: (milliseconds: number, call: () => void) =>
        systemClock.after(milliseconds, () => {
          if (!this.dead) call();
        }),
    };
    const problem = (event: string, fields: object = {}): void => void this.problems.push({ event, ...fields });
    const log = { info: () => undefined, warn: problem, error: problem };
    const rollouts = rolloutTask({ log, onTold: () => this.controller.publishSoon() });
    this.controller = new Controller({
      ...{ id, database, transport, namespace, clock, log },
      metrics: new Metrics(),
      random: Math.random,
      tasks: [{ ...rollouts, every: LOOK }],
    });
  }

  start(): Promise<void> {
    return this.controller.start();
  }

  publishSoon(): void {
    this.controller.publishSoon();
  }

  holds(shard: string): boolean {
    return this.controller.leases.holds(shard);
  }

  async die(): Promise<void> {
    this.dead = true;
    await this.options.transport.close();
  }

  async stop(): Promise<void> {
    if (this.dead) return;
    await this.controller.stop();
    await this.options.transport.close();
  }
}
