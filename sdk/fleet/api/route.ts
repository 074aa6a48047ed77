import type * as v from 'valibot';
import type { Role } from '../access/tokens.ts';
import type { Fleet } from '../fleet.ts';

type Schema = v.GenericSchema<unknown, unknown>;
type Output<S> = S extends Schema ? v.InferOutput<S> : undefined;

/** What is answered is only read. */
type Answer<T> = T extends readonly (infer E)[]
  ? readonly Answer<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Answer<T[K]> }
    : T;

/** Who asks. */
export interface Caller {
  /** For the audit log: `token:ID`, or `anyone`. */
  readonly actor: string;
  readonly role: Role | undefined;
}

/** A body that is not JSON. */
export interface Upload {
  /** As it was announced; undefined where it was not. */
  readonly bytes: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface RouteRequest<P, Q, B> {
  /** From the path. */
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Of routes that take one: bytes as they come. */
  readonly upload: Upload | undefined;
  readonly caller: Caller;
}

interface RouteShape {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** OpenAPI's way: /v1/devices/{name}. */
  readonly path: string;
  readonly summary: string;
  /** Least role that may; whoever may do that, or anyone. */
  readonly role: Role | 'anyone';
  /** Of a good answer, where it is not 200. */
  readonly status?: 201 | 202;
  /** The body is a file, of any size. */
  readonly upload?: true;
}

/** One request of the API: its schemas make the check, the types and the OpenAPI document. */
export interface RouteSpec<
  P extends Schema | undefined,
  Q extends Schema | undefined,
  B extends Schema | undefined,
  R extends Schema,
> extends RouteShape {
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly reply: R;
  handle(request: RouteRequest<Output<P>, Output<Q>, Output<B>>, fleet: Fleet): Promise<Answer<v.InferInput<R>>>;
}

export interface Route extends RouteShape {
  readonly params?: Schema | undefined;
  readonly query?: Schema | undefined;
  readonly body?: Schema | undefined;
  readonly reply: Schema;
  handle(request: RouteRequest<unknown, unknown, unknown>, fleet: Fleet): Promise<unknown>;
}

/** Ties the types of the schemas to what `handle` receives; the server guarantees that each was checked. */
export function defineRoute<
  R extends Schema,
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  B extends Schema | undefined = undefined,
>(spec: RouteSpec<P, Q, B, R>): Route {
  return {
    ...spec,
    handle: (request, fleet) => spec.handle(request as RouteRequest<Output<P>, Output<Q>, Output<B>>, fleet),
  };
}

const ALLOWS: Readonly<Record<Role, readonly Role[]>> = {
  viewer: ['viewer'],
  operator: ['viewer', 'operator'],
  // Who approves does not make what is approved.
  approver: ['viewer', 'approver'],
  admin: ['viewer', 'operator', 'admin'],
};

/** Whether the holder of a role may do what needs another. */
export function allows(role: Role, needed: Role): boolean {
  return ALLOWS[role].includes(needed);
}
