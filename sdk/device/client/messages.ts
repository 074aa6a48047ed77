import * as v from 'valibot';
import { EigenError, type ErrorCode } from '../../util/errors.ts';
import { byteLength, bytesOf, DTYPE_BYTES, type DType, type Tensor, viewBytes } from '../../util/tensor.ts';
import { type CborMap, decodeCbor, encodeCbor, invalidMessage } from '../../wire/cbor.ts';
import type { Serving } from '../agent/host.ts';
import type { Tensors } from '../agent/model.ts';
import { frameOf } from './frames.ts';

/** Messages of the local API. An application sends requests, each with a number of its own; the agent answers every one, in their order. */
const DTYPES = Object.keys(DTYPE_BYTES) as DType[];
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');
const tensorType = { dtype: v.picklist(DTYPES), shape: v.pipe(v.array(count), v.maxLength(16)) };
const named = v.array(v.strictObject({ name: v.string(), ...tensorType }));

const tensorMap = v.record(v.string(), v.strictObject({ ...tensorType, data: bytes }));
const serving = v.strictObject({
  model: v.string(),
  modelBytes: count,
  signature: v.strictObject({ inputs: named, outputs: named }),
});
const failure = v.strictObject({ code: v.string(), message: v.string(), hint: v.optional(v.string()) });

const request = v.variant('op', [
  v.strictObject({ id: count, op: v.literal('run'), inputs: tensorMap }),
  v.strictObject({ id: count, op: v.literal('measure'), values: v.record(v.string(), v.number()) }),
]);
const reply = v.variant('type', [
  v.strictObject({ type: v.literal('outputs'), id: count, model: v.string(), outputs: tensorMap }),
  v.strictObject({ type: v.literal('done'), id: count }),
  /** Without a number it is about the connection, which ends with it. */
  v.strictObject({ type: v.literal('failed'), id: v.optional(count), error: failure }),
  /** What runs; sent first, and whenever that changes. */
  v.strictObject({ type: v.literal('serving'), serving: v.nullable(serving) }),
]);

export type Request = v.InferOutput<typeof request>;
export type Reply = v.InferOutput<typeof reply>;
export type TensorMap = v.InferOutput<typeof tensorMap>;

/** Bytes of a frame that are not data of tensors. */
export const OVERHEAD_BYTES = 64 << 10;

/** Characters of what an application wrote that an error repeats. */
const MOST_QUOTED = 200;

export function encodeFrame(message: Request | Reply): Uint8Array {
  const given = Object.entries(message).filter(([, value]) => value !== undefined);
  return frameOf(encodeCbor(Object.fromEntries(given) as CborMap));
}

/** @throws EigenError EW6006_MESSAGE_INVALID. */
export function decodeRequest(body: Uint8Array): Request {
  return checked(request, body);
}

/** @throws EigenError EW6006_MESSAGE_INVALID. */
export function decodeReply(body: Uint8Array): Reply {
  return checked(reply, body);
}

function checked<S extends v.GenericSchema>(schema: S, body: Uint8Array): v.InferOutput<S> {
  const result = v.safeParse(schema, decodeCbor(body), { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  // Both quote what was sent.
  const [place, what] = [v.getDotPath(issue) ?? 'top level', issue.message].map((text) => text.slice(0, MOST_QUOTED));
  throw invalidMessage(`${place}: ${what}`);
}

export function packTensors(tensors: Tensors): TensorMap {
  const packed = Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
    name,
    { dtype, shape: [...shape], data: bytesOf(data) },
  ]);
  return Object.fromEntries(packed);
}

/** @throws EigenError EW6006_MESSAGE_INVALID where the data is not of the size that the shape says. */
export function unpackTensors(packed: TensorMap): Tensors {
  const tensors = Object.entries(packed).map(([name, { dtype, shape, data }]) => {
    const size = byteLength({ dtype, shape });
    if (data.length !== size) throw invalidMessage(`'${name}' has ${data.length} bytes of data, not ${size}`);
    return [name, { dtype, shape, data: viewBytes(dtype, data) } as Tensor];
  });
  return Object.fromEntries(tensors);
}

/** What went wrong, for the other side. */
export function packError(e: unknown): v.InferOutput<typeof failure> {
  const message = e instanceof Error ? e.message : String(e);
  if (!(e instanceof EigenError)) return { code: 'EW5003_ENGINE_UNAVAILABLE', message };
  return { code: e.code, message, ...(e.hint === undefined ? {} : { hint: e.hint }) };
}

export function unpackError({ code, message, hint }: v.InferOutput<typeof failure>): EigenError {
  return new EigenError(code as ErrorCode, message, hint === undefined ? {} : { hint });
}

export function packServing(now: Serving | undefined): Reply {
  if (!now) return { type: 'serving', serving: null };
  const { inputs, outputs } = now.signature;
  const types = (list: typeof inputs) => list.map(({ name, dtype, shape }) => ({ name, dtype, shape: [...shape] }));
  return { type: 'serving', serving: { ...now, signature: { inputs: types(inputs), outputs: types(outputs) } } };
}
