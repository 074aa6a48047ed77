import { EigenError } from '../../util/errors.ts';

/** What JSON is parsed into. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export function isObject(v: Json | undefined): v is JsonObject {
  return typeof v === 'object' && v !== null && !Array.isArray(v);
}

/** A model.json that says something that is no model. */
export function invalidJson(reason: string): EigenError {
  return new EigenError('EW3002_MODEL_INVALID', `model.json: ${reason}`, {
    hint: 'Save or convert the model again.',
  });
}

/** A value as messages show it. */
export function shown(v: Json | undefined): string {
  const text = v === undefined ? 'nothing' : JSON.stringify(v);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export function objectAt(v: Json | undefined, where: string): JsonObject {
  if (isObject(v)) return v;
  throw invalidJson(`${where} is ${shown(v)}, not an object`);
}

export function listAt(v: Json | undefined, where: string): readonly Json[] {
  if (Array.isArray(v)) return v;
  throw invalidJson(`${where} is ${shown(v)}, not a list`);
}

export function textAt(v: Json | undefined, where: string): string {
  if (typeof v === 'string') return v;
  throw invalidJson(`${where} is ${shown(v)}, not a text`);
}

export function numberAt(v: Json | undefined, where: string): number {
  if (typeof v === 'number') return v;
  throw invalidJson(`${where} is ${shown(v)}, not a number`);
}

/** An entry of a table by a name from a file, which may be that of a property that all objects have. */
export function entryOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** A tensor shape: whole numbers of at least 0. */
export function shapeAt(v: Json | undefined, where: string): number[] {
  return listAt(v, where).map((d) => {
    if (Number.isSafeInteger(d) && (d as number) >= 0) return d as number;
    throw invalidJson(`${where} has the size ${shown(d)}`);
  });
}
