import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileKernels } from '../../targets/wasm/cc/index.ts';
import {
  asType,
  evaluate,
  type Node,
  nodes,
  type Text,
  TYPES,
  type TypeName,
  type Value,
  write,
} from '../support/c-expressions.ts';

const HEADER = `typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64;\n`;

const names = TYPES.map((type) => `v_${type}`);
/** Where the operands and the results of a function are: beyond stack and data. */
const IN = 1 << 17;
const OUT = IN + 8 * TYPES.length;

/** A value of each type, small ones and those at the ends of their ranges as often as others. */
const valueFor = (type: TypeName): fc.Arbitrary<Value> =>
  type === 'float'
    ? fc
        .oneof(fc.integer({ min: -300, max: 300 }), fc.float({ noNaN: true, noDefaultInfinity: true }))
        .map((v) => asType(type, v))
    : fc.oneof(fc.bigInt(-4n, 4n), fc.bigInt(-(2n ** 63n), 2n ** 64n)).map((v) => asType(type, v));
const values = fc.tuple(...TYPES.map(valueFor));

/** A value as C writes it. */
function literal({ type, value }: Value): string {
  if (type === 'float')
    return `(${value < 0 || Object.is(value, -0) ? '-' : ''}${Math.abs(value as number).toExponential()}f)`;
  const size = type.endsWith('64') ? 'ull' : 'u';
  const low = BigInt.asUintN(type.endsWith('64') ? 64 : 32, value as bigint);
  return `((${type})${low}${size})`;
}

/** What the expressions come to in a module: with variables, and with constants in their place. */
function compute(trees: readonly Node[], operands: readonly Value[]): { run: bigint[]; folded: bigint[] } {
  const declared = TYPES.map((type, i) => `const ${type} ${names[i]} = *(const ${type} *)(in + ${8 * i});`).join(' ');
  const stores = (terms: readonly string[]): string =>
    trees.map((tree, i) => store(OUT + 8 * i, write(tree, terms, TYPES))).join('\n  ');
  const source = `${HEADER}void run(const u8 *in) { ${declared}\n  ${stores(names)} }\nvoid folded(void) { ${stores(operands.map(literal))} }`;
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(compileKernels([source], [], ['run', 'folded']) as BufferSource);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const view = new DataView(memory.buffer);
  for (const [i, { type, value }] of operands.entries()) {
    if (type === 'float') view.setFloat32(IN + 8 * i, value as number, true);
    else view.setBigInt64(IN + 8 * i, value as bigint, true);
  }
  const read = (): bigint[] => trees.map((_, i) => view.getBigInt64(OUT + 8 * i, true));
  (exports.run as (input: number) => void)(IN);
  const run = read();
  (exports.folded as () => void)();
  return { run, folded: read() };
}

/** Ints are made 8 bytes, so that their type shows. */
function store(address: number, { text, type }: Text): string {
  return `*(${type === 'float' ? 'double' : 'i64'} *)${address} = ${text};`;
}

function bitsOf({ type, value }: Value): bigint {
  if (type !== 'float') return BigInt.asIntN(64, value as bigint);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value as number);
  return view.getBigInt64(0);
}

const isNaNBits = (bits: bigint): boolean => BigInt.asUintN(63, bits) > 0x7ff0000000000000n;

test('expressions come to what C says, of variables as of constants', () => {
  fc.assert(
    fc.property(fc.array(nodes(TYPES.length), { minLength: 20, maxLength: 40 }), values, (trees, operands) => {
      const made = compute(trees, operands);
      for (const [i, tree] of trees.entries()) {
        const wanted = evaluate(tree, operands);
        const said = `${write(tree, names, TYPES).text} of ${operands.map(literal).join(' ')}`;
        for (const kind of ['run', 'folded'] as const) {
          const got = made[kind][i] as bigint;
          if (wanted.type === 'float' && Number.isNaN(wanted.value)) assert.ok(isNaNBits(got), `${kind}: ${said}`);
          else assert.is(got, bitsOf(wanted), `${kind}: ${said}`);
        }
      }
    }),
    { numRuns: 40, seed: 7 },
  );
});

test.run();
