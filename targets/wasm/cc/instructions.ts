import type { Expression } from './ast.ts';
import type { Value } from './code.ts';
import { intOf } from './fold.ts';
import { hoisted } from './hoist.ts';
import { type Intrinsic, intrinsicOf } from './intrinsics.ts';
import type { Lowering } from './lower.ts';
import { F32, I32, V128, VECTOR } from './opcodes.ts';
import { copyBytes, fillBytes, splitAddress, withoutNarrowing } from './places.ts';
import { evaluate } from './values.ts';

type Call = Extract<Expression, { kind: 'intrinsic' }>;

/** Bytes that a lane of a splat takes, by its opcode behind the prefix. */
const LANE_BYTES: { readonly [opcode: number]: number } = { 15: 1, 16: 2, 17: 4, 19: 4 };

/** Bytes that instructions load and store, by their opcode behind the prefix, where not a whole vector. */
const BYTES: { readonly [opcode: number]: number } = { 1: 8, 4: 8, 9: 4, 92: 4, 90: 4, 91: 8 };

/** A call of an instruction that has a value. */
export function intrinsicValue(l: Lowering, e: Call): Value {
  const instruction = intrinsicOf(e.name)!;
  const { opcode } = instruction;
  if (instruction.form === 'constant') {
    const value = opcode === 0x7fc00000 ? Number.NaN : Number.POSITIVE_INFINITY;
    return { kind: 'constant', type: F32, value };
  }
  const args = e.args.map((a) => evaluate(l, a));
  switch (instruction.form) {
    case 'plain':
      return hoisted(l, { kind: 'operation', type: resultOf(instruction), opcode: VECTOR | opcode, operands: args });
    case 'scalar':
      return { kind: 'operation', type: resultOf(instruction), opcode, operands: args };
    case 'load':
      return hoisted(l, {
        kind: 'load',
        type: V128,
        opcode: VECTOR | opcode,
        bytes: BYTES[opcode] ?? 16,
        ...splitAddress(args[0]!),
      });
    case 'extract':
      return extract(opcode, args[0]!, intOf(args[1]!)!, resultOf(instruction));
    case 'shuffle':
      return shuffle(opcode, args);
    case 'splat':
      return hoisted(l, splat(opcode, args[0]!));
    case 'make':
      return make(opcode, args);
    default:
      throw new Error(`${e.name} has no value`);
  }
}

/** A call of one that has none; returns false where it has one. */
export function intrinsicEffect(l: Lowering, e: Call): boolean {
  const { form, opcode } = intrinsicOf(e.name)!;
  if (form !== 'store' && form !== 'store-lane' && form !== 'copy' && form !== 'fill') return false;
  const args = e.args.map((a) => evaluate(l, a));
  const [a, b, c] = args;
  if (form === 'copy') copyBytes(l, a!, b!, c!);
  else if (form === 'fill') fillBytes(l, a!, b!, c!);
  else {
    const store = {
      kind: 'store',
      opcode: VECTOR | opcode,
      bytes: BYTES[opcode] ?? 16,
      ...splitAddress(a!),
      value: b!,
    } as const;
    l.emit(form === 'store' ? store : { ...store, lane: intOf(c!)! });
  }
  return true;
}

function resultOf({ result }: Intrinsic): typeof V128 | typeof I32 | typeof F32 {
  return result.kind === 'vector' ? V128 : result.kind === 'float' ? F32 : I32;
}

function extract(opcode: number, vector: Value, lane: number, type: typeof V128 | typeof I32 | typeof F32): Value {
  // Of a splat of the same kind of lane.
  if (vector.kind === 'operation' && vector.operands[0]!.type === type) {
    const same = opcode === 0x1b ? 0x11 : 0x13;
    if (vector.opcode === (VECTOR | same)) return vector.operands[0]!;
  }
  return { kind: 'extract', type, opcode: VECTOR | opcode, lane, operand: vector };
}

/** Lanes of `width` bytes each, as bytes. */
function shuffle(width: number, [left, right, ...chosen]: readonly Value[]): Value {
  const lanes = chosen.flatMap((lane) => Array.from({ length: width }, (_, i) => intOf(lane)! * width + i));
  return { kind: 'shuffle', type: V128, lanes, left: left!, right: right! };
}

function splat(opcode: number, scalar: Value): Value {
  const bytes = LANE_BYTES[opcode]!;
  const lane = bytes < 4 ? withoutNarrowing(scalar, bytes) : scalar;
  if (lane.kind === 'constant') return constantVector(opcode, Array(16 / bytes).fill(lane.value as number));
  // Loaded, to all lanes at once.
  if (lane.kind === 'load' && lane.bytes === bytes && lane.address.kind !== 'frame') {
    const loads = bytes === 4 ? 0x09 : bytes === 2 ? 0x08 : 0x07;
    return { ...lane, type: V128, opcode: VECTOR | loads };
  }
  return { kind: 'operation', type: V128, opcode: VECTOR | opcode, operands: [lane] };
}

function constantVector(opcode: number, lanes: readonly number[]): Value {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const size = LANE_BYTES[opcode]!;
  lanes.forEach((lane, i) => {
    if (opcode === 0x13 && Number.isNaN(lane)) view.setUint32(4 * i, 0x7fc00000, true);
    else if (opcode === 0x13) view.setFloat32(4 * i, lane, true);
    else if (size === 4) view.setInt32(4 * i, lane, true);
    else if (size === 2) view.setInt16(2 * i, lane, true);
    else view.setInt8(i, lane);
  });
  return { kind: 'vector', type: V128, bytes };
}

function make(opcode: number, lanes: readonly Value[]): Value {
  if (lanes.every((v) => v.kind === 'constant'))
    return constantVector(
      opcode,
      lanes.map((v) => v.value as number),
    );
  const replaces = opcode === 0x11 ? 0x1c : 0x20;
  return lanes
    .slice(1)
    .reduce<Value>(
      (operand, by, i) => ({ kind: 'replace', type: V128, opcode: VECTOR | replaces, lane: i + 1, operand, by }),
      splat(opcode, lanes[0]!),
    );
}
