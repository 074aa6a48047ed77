import { hashText, type Random } from './random.ts';
import { CONTENT_WORDS, GLUE_WORDS, LABELS, MONTHS, SURNAMES, UNITS } from './words.ts';

/** Which of the two disjoint sets a line belongs to: they share no content word and no seed. */
export type Part = 'calibration' | 'evaluation';

const isCalibrationWord = (word: string): boolean => hashText(`part/${word}`) % 3 === 0;

const VOCABULARY: Readonly<Record<Part, readonly string[]>> = {
  calibration: CONTENT_WORDS.filter(isCalibrationWord),
  evaluation: CONTENT_WORDS.filter((w) => !isCalibrationWord(w)),
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Letters and digits that are told apart in every font of the set: no I, O, l, 0 beside letters. */
const CODE_ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';

function digits(r: Random, n: number): string {
  let out = String(r.int(1, 9));
  while (out.length < n) out += String(r.int(0, 9));
  return out;
}

function code(r: Random, n: number): string {
  let out = '';
  while (out.length < n) out += CODE_ALPHABET.charAt(r.int(0, CODE_ALPHABET.length - 1));
  return out;
}

const grouped = (n: string): string => n.replace(/\B(?=(\d{3})+$)/g, ',');
const two = (n: number): string => String(n).padStart(2, '0');

/** Two to four words, a glue word between content words now and then, in one of the ways headings and prose are set. */
function phrase(r: Random, words: readonly string[]): string {
  const parts: string[] = [];
  const n = r.pick([1, 2, 2, 3, 3]);
  for (let i = 0; i < n; i++) {
    if (r.chance(i === 0 ? 0.2 : 0.45)) parts.push(r.pick(GLUE_WORDS));
    parts.push(r.pick(words));
  }
  const style = r.next();
  if (style < 0.16) return parts.join(' ').toUpperCase();
  if (style < 0.4) return parts.map(capital).join(' ');
  if (style < 0.62) return capital(parts.join(' ')) + r.pick(['', '.', ',', '', '?', '!']);
  return parts.join(' ') + r.pick(['', '', '', '.', ',', ';', ':']);
}

function date(r: Random): string {
  const day = r.int(1, 28);
  const month = r.int(1, 12);
  const year = r.int(1950, 2049);
  const name = MONTHS[month - 1]!;
  return r.pick([
    `${day} ${name} ${year}`,
    `${name} ${day}, ${year}`,
    `${year}-${two(month)}-${two(day)}`,
    `${two(day)}.${two(month)}.${year}`,
    `${two(day)}/${two(month)}/${year}`,
  ]);
}

function amount(r: Random): string {
  const whole = grouped(digits(r, r.int(1, 5)));
  const cents = two(r.int(0, 99));
  return r.pick([
    `$${whole}.${cents}`,
    `${r.pick(LABELS)}: $${whole}.${cents}`,
    `${whole} ${r.pick(UNITS)}`,
    `${r.int(1, 99)}.${r.int(1, 9)}%`,
  ]);
}

function reference(r: Random, words: readonly string[]): string {
  return r.pick([
    `${r.pick(LABELS)} ${code(r, 3)}-${digits(r, 4)}`,
    `${r.pick(LABELS)} #${digits(r, r.int(3, 6))}`,
    `${code(r, r.int(5, 9))}`,
    `${r.int(1, 23)}:${two(r.int(0, 59))} ${r.pick(words)}`,
    `+${digits(r, 2)}-${digits(r, 3)}-${digits(r, 6)}`,
    `v${r.int(1, 9)}.${r.int(0, 20)}.${r.int(0, 9)}`,
  ]);
}

function name(r: Random, words: readonly string[]): string {
  const person = r.pick(SURNAMES);
  return r.pick([
    `${r.pick(['Mr.', 'Mrs.', 'Dr.'])} ${person}`,
    `${person} & ${r.pick(SURNAMES)}`,
    `${r.int(2, 199)} ${capital(r.pick(words))} ${r.pick(['Street', 'Road', 'Lane', 'Avenue'])}`,
    `${person.toLowerCase()}@${r.pick(words)}.com`,
    `www.${r.pick(words)}.org`,
    `"${capital(r.pick(words))} ${r.pick(words)}"`,
    `(${r.pick(words)} ${r.int(1, 99)})`,
  ]);
}

/** One line of text as signs, forms and books carry it: prose, dates, amounts, references, names. */
export function textLine(r: Random, part: Part): string {
  const words = VOCABULARY[part];
  const kind = r.next();
  if (kind < 0.62) return phrase(r, words);
  if (kind < 0.7) return date(r);
  if (kind < 0.79) return amount(r);
  if (kind < 0.88) return reference(r, words);
  return name(r, words);
}
