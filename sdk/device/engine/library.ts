import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder, keep, used } from '../../util/cache.ts';
import { EigenError } from '../../util/errors.ts';
import { readBytes } from '../../util/files.ts';
import { sha256 } from '../../util/hash.ts';
import type { TypedArray } from '../../util/tensor.ts';

/** The functions of a shared object of kernels (sdk/compile/emit/c/shared-object.ts); addresses are numbers. */
export interface KernelLibrary {
  stepCount(): number;
  scratchBytes(): number;
  /** Bytes from the working memory of one part to that of the next. */
  scratchApart(): number;
  /** Of a thousand codes of a tile, how many may be listed where it is to be held in the form of sdk/wire/row-tiles.ts; undefined where none is. */
  rowLists(): number | undefined;
  /** Known answers that the kernels' own dot product gets wrong. */
  wrong(): number;
  map(path: string | null, bytes: number): bigint | null;
  unmap(at: bigint, bytes: number): void;
  open(weights: bigint, arena: bigint, scratch: bigint, parts: number): bigint | null;
  run(team: bigint, from: number, to: number): void;
  /** Copies bytes by all threads; undefined where the kernels are of a version that cannot. */
  readonly bring:
    | ((team: bigint, to: bigint | TypedArray, from: bigint | TypedArray, bytes: number) => void)
    | undefined;
  /** Runs all steps, with the input and the output of those numbers where the application has them, -1 for none; undefined as above. */
  readonly pass:
    | {
        readonly input: number;
        readonly output: number;
        run(team: bigint, input: TypedArray | null, output: TypedArray | null): void;
      }
    | undefined;
  /** Small steps are split too; undefined as above. */
  readonly split: ((team: bigint) => void) | undefined;
  close(team: bigint): void;
  /** Memory at an address, in place. */
  view(at: bigint, bytes: number): Uint8Array;
}

/** What the functions are; the version of sdk/compile/emit/c/shared-object.ts. The first has no ew_row_lists, and all tiles as panels; the third has ew_bring and ew_split, the fourth ew_pass, the fifth ew_scratch_apart. */
const VERSIONS = [1, 2, 3, 4, 5];

const loaded = new Map<string, KernelLibrary>();

/** A shared object where the system can load it from, and the SHA-256 of it. */
export interface LibraryFile {
  readonly file: string;
  readonly digest: string;
}

/**
 * Loads a shared object, once a process. Throws EW5003_ENGINE_UNAVAILABLE when the package koffi is absent, the system refuses the
 * object, or it is of another version.
 */
export async function loadLibrary({ file, digest }: LibraryFile): Promise<KernelLibrary> {
  const hit = loaded.get(digest);
  if (hit) return hit;
  const koffi = await import('koffi').then(
    (m) => m.default,
    (cause: unknown) => {
      throw unavailable('the package koffi is not installed', 'npm install koffi', cause);
    },
  );
  let library: KernelLibrary;
  try {
    const object = koffi.load(file);
    const func = (declaration: string) => object.func(declaration);
    const version = (func('int32_t ew_version(void)') as () => number)();
    if (!VERSIONS.includes(version)) throw new Error(`its version is ${version}, not ${VERSIONS.join(', ')}`);
    library = {
      stepCount: func('int32_t ew_step_count(void)'),
      rowLists: version === 1 ? () => undefined : func('int32_t ew_row_lists(void)'),
      scratchBytes: func('int64_t ew_scratch_bytes(void)'),
      scratchApart: func(`int64_t ew_scratch_${version < 5 ? 'bytes' : 'apart'}(void)`),
      wrong: func('int32_t ew_wrong(void)'),
      map: func('void *ew_map(const char *path, uint64_t bytes)'),
      unmap: func('void ew_unmap(void *at, uint64_t bytes)'),
      open: func('void *ew_open(void *weights, void *arena, void *scratch, int32_t parts)'),
      run: func('void ew_run(void *team, int32_t from, int32_t to)'),
      bring: version < 3 ? undefined : func('void ew_bring(void *team, void *to, const void *from, uint64_t bytes)'),
      pass:
        version < 4
          ? undefined
          : {
              input: (func('int32_t ew_pass_input(void)') as () => number)(),
              output: (func('int32_t ew_pass_output(void)') as () => number)(),
              run: func('void ew_pass(void *team, const void *input, void *output)'),
            },
      split: version < 3 ? undefined : func('void ew_split(void *team)'),
      close: func('void ew_close(void *team)'),
      view: (at, length) => new Uint8Array(koffi.view(at, length)),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw unavailable(
      `the native kernels cannot be loaded: ${reason}`,
      'Build the bundle again on this machine.',
      cause,
    );
  }
  loaded.set(digest, library);
  return library;
}

function unavailable(message: string, hint: string, cause: unknown): EigenError {
  return new EigenError('EW5003_ENGINE_UNAVAILABLE', message, { hint, cause });
}

/** A file with the object in it: the system loads nothing else. */
export async function libraryFile(bytes: Uint8Array): Promise<LibraryFile> {
  const digest = sha256(bytes);
  const folder = cacheFolder() ?? join(tmpdir(), `eigenweights-${process.getuid?.() ?? 0}`);
  const file = join(folder, 'loaded', `${digest}.so`);
  const there = await readBytes(file).catch(() => undefined);
  if (!there || sha256(there) !== digest) await keep(file, bytes);
  else await used(file);
  return { file, digest };
}
