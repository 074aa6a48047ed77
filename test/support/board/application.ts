import { setTimeout as pause } from 'node:timers/promises';
import { connectModel } from '../../../sdk/device/client/socket-client.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { sha256OfTensor } from '../../../sdk/util/hash.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { SIDE } from './side.ts';

/**
 * An application on the virtual board: asks the model of the agent at the socket that its command line names again and again, and tells
 * which one answered and what whenever that changes.
 */
const [, , socket] = process.argv;
const inputs = { x: tensor('f32', [1, SIDE], new Float32Array(SIDE).fill(1)) };
let said = '';

function tell(fields: object): void {
  const line = JSON.stringify(fields);
  if (line !== said) process.stdout.write(`${line}\n`);
  said = line;
}

for (;;) {
  try {
    const model = await connectModel(socket!);
    for (;;) {
      const answered = await model.run(inputs);
      tell({ event: 'answer', model: answered.model, output: sha256OfTensor(answered.outputs.y!) });
      await pause(50);
    }
  } catch (e) {
    tell({ event: 'no-answer', code: isEigenError(e) ? e.code : String(e) });
    await pause(250);
  }
}
