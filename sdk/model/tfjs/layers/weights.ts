import type { Tensor } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { invalidJson } from '../json.ts';

/** Weights of layers by the layer's path and their own name: `conv1`, `kernel`. */
export class LayerWeights {
  private readonly weights: ReadonlyMap<string, Tensor>;
  private readonly e: Emitter;
  private readonly emitted = new Map<string, string>();

  constructor(weights: ReadonlyMap<string, Tensor>, e: Emitter) {
    this.weights = weights;
    this.e = e;
  }

  /** The constant; one for all applications of a layer. Throws EW3002 when there is none or more than one fits. */
  get(path: string, name: string): string {
    const key = this.find(path, name);
    const known = this.emitted.get(key);
    if (known !== undefined) return known;
    const made = this.e.constant(this.weights.get(key)!, key);
    this.emitted.set(key, made);
    return made;
  }

  has(path: string, name: string): boolean {
    return this.candidates(path, name).length > 0;
  }

  /** Whether there are weights under a path. */
  knows(path: string): boolean {
    return [...this.weights.keys()].some((k) => k.startsWith(`${path}/`));
  }

  private find(path: string, name: string): string {
    const found = this.candidates(path, name);
    if (found.length === 1) return found[0]!;
    if (found.length === 0) throw invalidJson(`the weights hold no '${path}/${name}'`);
    throw invalidJson(`more than one weight is a '${path}/${name}': ${found.slice(0, 4).join(', ')}`);
  }

  /** By exact name, else with the name of a cell after the layer's, else with the name of a network before it. */
  private candidates(path: string, name: string): string[] {
    const exact = `${path}/${name}`;
    if (this.weights.has(exact)) return [exact];
    const all = [...this.weights.keys()].filter((k) => k.endsWith(`/${name}`));
    const within = all.filter((k) => k.startsWith(`${path}/`));
    return within.length > 0 ? within : all.filter((k) => k.includes(`/${path}/`));
  }
}
