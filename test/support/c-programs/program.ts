import { Rng } from '../../../sdk/util/rng.ts';
import { anyType, valueAs } from './expressions.ts';
import { PARAMETERS } from './prelude.ts';
import { Scope, type Term, type Variable } from './scope.ts';
import { statement } from './statements.ts';
import { INTS, isFloat, type Scalar } from './types.ts';
import { vector } from './vectors.ts';

export interface CProgram {
  readonly seed: number;
  /** Of all functions, to be put behind PRELUDE; names begin with the seed's. */
  readonly source: string;
  /** Those that have PARAMETERS. */
  readonly functions: readonly { readonly name: string; readonly source: string }[];
}

const HELPERS = 4;
const HEADS = ['EW_INLINE', 'EW_INLINE', 'EW_SHARED', 'static'];
const OUTS = ['i32', 'i32', 'u8', 'i64', 'float', 'v128_t'] as const;
const READS: readonly Scalar[] = ['i16', 'u8', 'i32', 'u32'];

/** Where functions put what their variables come to: behind all that their statements write. */
const INTS_AT = 256;
const VECTORS_AT = 1024;
const FLOATS_AT = 16;

/** So many functions, and some that they call; the same for the same seed. */
export function cProgram(seed: number, count: number): CProgram {
  const s = new Scope(new Rng(seed));
  for (let i = 0; i < HELPERS; i++) helper(s, `s${seed}_h${i}`);
  const functions = Array.from({ length: count }, (_, i) => {
    const from = s.lines.length;
    const name = `s${seed}_f${i}`;
    routine(s, name);
    return { name, source: s.lines.slice(from).join('\n') };
  });
  return { seed, source: `${s.lines.join('\n')}\n`, functions };
}

function helper(s: Scope, name: string): void {
  const outs = s.chance(0.5) ? Array.from({ length: 1 + s.below(2) }, () => s.pick(OUTS)) : [];
  const parameters = Array.from({ length: 1 + s.below(3) }, () => anyType(s));
  const reads = s.chance(0.5) ? s.pick(READS) : undefined;
  const made = { name, parameters, reads, outs, result: anyType(s) };
  const list = [
    ...parameters.map((type, i) => `${type} a${i}`),
    ...(reads ? [`const ${reads} *restrict q`] : []),
    ...outs.map((type, i) => `${type} *n${i}`),
  ];
  const variables: Variable[] = parameters.map((type, i) => ({ text: `a${i}`, type }));
  outs.forEach((type, i) => {
    if (type !== 'v128_t') variables.push({ text: `(*n${i})`, type });
  });
  s.begin(variables, reads ? [{ text: 'q', type: reads }] : [], `return ${isFloat(made.result) ? '0.5f' : '11'}`, true);
  s.block(`${s.pick(HEADS)} ${made.result} ${name}(${list.join(', ')}) {`, () => {
    s.emit('u8 own[512]; u8 *const mem = own + 64; float fm[16];');
    s.emit('__builtin_memset(own, 3, 512); __builtin_memset(fm, 0, sizeof fm);');
    for (let n = 2 + s.below(4); n > 0; n--) statement(s);
    outs.forEach((type, i) => {
      s.emit(`*n${i} = ${type === 'v128_t' ? vector(s, 2) : valueAs(s, type, 2)};`);
    });
    s.emit(`return ${valueAs(s, made.result)};`);
  });
  s.addHelper(made);
}

const SOURCES: readonly Term[] = [
  { text: 'q0', type: 'i16' },
  { text: 'q1', type: 'float' },
  { text: 'q2', type: 'u8' },
];
const NUMBERS: readonly Variable[] = [
  { text: 'x', type: 'i32' },
  { text: 'y', type: 'u32' },
  { text: 'z', type: 'float' },
];

function routine(s: Scope, name: string): void {
  s.begin(NUMBERS, SOURCES, 'return', false);
  s.optional = { text: 'q3', type: 'i32' };
  s.block(`void ${name}(${PARAMETERS}) {`, () => {
    for (const type of INTS) {
      if (s.chance(0.4)) continue;
      const text = s.name('v');
      s.emit(`${type} ${text} = ${valueAs(s, type, 2)};`);
      s.variables.push({ text, type, own: true });
    }
    for (let n = 4 + s.below(9); n > 0; n--) statement(s);
    results(s);
  });
}

function results(s: Scope): void {
  let [ints, floats] = [INTS_AT, FLOATS_AT];
  for (const { text, type } of s.variables) {
    if (type === 'float') s.emit(`fm[${floats++}] = ${text};`);
    else if (type === 'double') {
      floats += floats % 2;
      s.emit(`*(double *)(fm + ${floats}) = ${text};`);
      floats += 2;
    } else {
      s.emit(`*(i64 *)(mem + ${ints}) = ${text};`);
      ints += 8;
    }
  }
  s.vectors.forEach((name, i) => {
    s.emit(`wasm_v128_store(mem + ${VECTORS_AT + 16 * i}, ${name});`);
  });
}
