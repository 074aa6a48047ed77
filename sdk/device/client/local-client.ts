import type { ModelHost } from '../agent/host.ts';
import type { ModelClient } from './model-client.ts';

/** What answers inferences and takes measures in this process. */
interface Runner {
  run: ModelClient['run'];
  measure(values: Readonly<Record<string, number>>): void;
}

/** The model in the process of the agent. */
export function localModel(host: ModelHost, runner: Runner): ModelClient {
  const stops = new Set<() => void>();
  return {
    describe: async () => host.describe(),
    run: (inputs) => runner.run(inputs),
    measure: async (values) => runner.measure(values),
    onChange(listener) {
      const stop = host.onSwap(() => listener(host.describe()));
      stops.add(stop);
      return () => {
        stops.delete(stop);
        stop();
      };
    },
    async close() {
      for (const stop of stops) stop();
      stops.clear();
    },
  };
}
