import * as v from 'valibot';

/** Parts of requests and answers. What they say of a field is in the OpenAPI document. */
export const deviceName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, - and _'),
);
export const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits'));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const time = v.pipe(count, v.description('Milliseconds since 1970'));
export const label = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
export const tags = v.pipe(
  v.record(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,64}$/)), v.pipe(v.string(), v.maxLength(256))),
  v.check((t) => Object.keys(t).length <= 64, 'must be at most 64'),
);
export const done = v.strictObject({ done: v.boolean() });

/** A number in a query. */
export function queryCount(most: number) {
  return v.pipe(v.string(), v.regex(/^\d{1,16}$/, 'must be a whole number'), v.transform(Number), v.maxValue(most));
}
