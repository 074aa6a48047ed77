import type { Graph } from '../../ir/graph.ts';
import { EigenError } from '../../util/errors.ts';
import type { DType, Tensor } from '../../util/tensor.ts';
import type { Slot } from '../../wire/program.ts';
import type { PlannedProgram } from '../index.ts';

/** What a library is made from. */
export interface FirmwareSource {
  readonly graph: Graph;
  readonly planned: PlannedProgram;
  /** The resident weight block of the program. */
  readonly weights: Uint8Array;
  /** One input of every name, and for every output the SHA-256 of its bytes. */
  readonly golden: {
    readonly inputs: Readonly<Record<string, Tensor>>;
    readonly outputs: readonly { readonly name: string; readonly sha256: string }[];
  };
  /** Prefix of files and functions, a C identifier. */
  readonly name: string;
  /** Name and version of the tool, digest of the bundle. */
  readonly origin: string;
  /** Options for the compiler that belong to the board. */
  readonly board: { readonly name: string; readonly flags: readonly string[] };
}

const C_TYPES: Partial<Record<DType, string>> = {
  f32: 'float',
  f64: 'double',
  i8: 'int8_t',
  u8: 'uint8_t',
  i16: 'int16_t',
  u16: 'uint16_t',
  i32: 'int32_t',
  u32: 'uint32_t',
  i64: 'int64_t',
  bool: 'uint8_t',
};

/** C type of a slot's elements. Throws EW3102_OP_UNSUPPORTED. */
export function typeOf(slot: Slot): string {
  const type = C_TYPES[slot.dtype];
  if (type) return type;
  throw new EigenError('EW3102_OP_UNSUPPORTED', `'${slot.name}' is ${slot.dtype}, which firmware does not take`);
}

/** What macros begin with. */
export const upper = ({ name }: FirmwareSource): string => name.toUpperCase();

/** First line of every file. */
export const banner = ({ planned, origin }: FirmwareSource): string =>
  `/* ${planned.program.name}: made by ${origin}. */\n`;
