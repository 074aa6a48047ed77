/** The characters of the recogniser's classes: blank (no character), the lines of the keys file, space. */
export function parseCharset(keysFile: string): string[] {
  const keys = keysFile.replace(/\r/g, '').split('\n');
  if (keys[keys.length - 1] === '') keys.pop();
  return ['', ...keys, ' '];
}

/**
 * Greedy CTC: the best class of every time step, repeats merged, blanks (class 0) dropped.
 * Space at either end is not text and is dropped. `scores` is [steps, charset.length], logits or probabilities.
 */
export function decodeCtc(scores: Float32Array, charset: readonly string[]): string {
  const classes = charset.length;
  if (scores.length % classes !== 0) {
    throw new RangeError(`decodeCtc: ${scores.length} scores are no multiple of ${classes} classes`);
  }
  let text = '';
  let before = 0;
  for (let at = 0; at < scores.length; at += classes) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[at + c]! > scores[at + best]!) best = c;
    if (best !== before) text += charset[best];
    before = best;
  }
  return text.trim();
}
