import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { EigenError } from '../util/errors.ts';

/** Files that a folder may be given for. */
const IN_FOLDERS = ['model.json', 'saved_model.pb'] as const;

/** The file that a model begins with: the path itself, or a file in the folder that it is. Throws EW1002 for a folder without one. */
export function modelFile(path: string): string {
  if (!isFolder(path)) return path;
  const name = IN_FOLDERS.find((f) => existsSync(join(path, f)));
  if (name !== undefined) return join(path, name);
  throw new EigenError('EW1002_FILE_NOT_FOUND', `'${path}' is a folder without a model.json`, {
    hint: 'Give a model file, or the folder of a TensorFlow.js model.',
    details: { path },
  });
}

/** False for what cannot be a path at all: it is refused where it is read. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A model is called as its file is, or as its folder where that is a model.json like all others. */
export function modelName(file: string): string {
  const name = basename(file).replace(/\.(onnx|json)$/i, '');
  return basename(file) === 'model.json' ? basename(dirname(resolve(file))) || name : name;
}

/** Throws EW1002 naming the file. */
export function readModelBytes(path: string, what: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (e) {
    throw new EigenError(
      'EW1002_FILE_NOT_FOUND',
      `cannot read the ${what} '${path}': ${e instanceof Error ? e.message : String(e)}`,
      {
        hint: isFolder(path) ? 'It is a folder: give the file in it.' : 'Check the path and its permissions.',
        cause: e,
      },
    );
  }
}

/** Reads files of weights beside a model, each once; a location must stay inside the model's folder. */
export function readerBeside(folder: string): (location: string) => Uint8Array {
  const files = new Map<string, Uint8Array>();
  const root = resolve(folder);
  const inside = root.endsWith(sep) ? root : root + sep;
  return (location) => {
    const path = resolve(folder, location);
    if (!path.startsWith(inside)) {
      throw new EigenError('EW3001_MODEL_UNREADABLE', `the model keeps data in '${location}', outside its folder`, {
        hint: 'Put the data file beside the model.',
      });
    }
    const known = files.get(path) ?? readModelBytes(path, 'data file');
    files.set(path, known);
    return known;
  };
}
