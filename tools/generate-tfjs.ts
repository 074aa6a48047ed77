/** Writes test/golden/tfjs.jsonl anew: models that TensorFlow.js saved, and what it answers, for tests that run without it. */
import { writeFile } from 'node:fs/promises';
import { examples, write } from '../test/support/tfjs/cases.ts';
import { openTfjs } from '../test/support/tfjs/oracle.ts';

const tf = await openTfjs();
if (!tf) throw new Error('TensorFlow.js cannot be installed here');
let text = '';
for await (const example of examples(tf, 1)) text += `${write(example)}\n`;
const file = new URL('../test/golden/tfjs.jsonl', import.meta.url);
await writeFile(file, text);
console.log(`${text.length} bytes`);
