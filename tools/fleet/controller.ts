/** The controller of `npm run bench:fleet`, as `eigenweights serve` runs it. Tells its broker's port. */
import { serve } from '../../sdk/fleet/serve/index.ts';

const [data, namespace] = process.argv.slice(2);
const problems = new Map<string, number>();
const count = (event: string): void => void problems.set(event, (problems.get(event) ?? 0) + 1);
const running = await serve({
  data: data!,
  namespace: namespace!,
  ...{ host: '127.0.0.1', port: 0, mqttPort: 0, names: ['127.0.0.1'], tls: false },
  log: { info: () => undefined, warn: count, error: (event, fields) => console.error(event, fields) },
});
process.send?.({ port: Number(new URL(running.brokerUrl).port) });
process.on('SIGTERM', async () => {
  if (problems.size > 0) console.error('warnings:', Object.fromEntries(problems));
  await running.stop();
  process.exit();
});
