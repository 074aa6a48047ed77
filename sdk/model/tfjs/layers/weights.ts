import type { Tensor } from '../../../util/tensor.ts';
import type { Emitter } from '../emitter.ts';
import { invalidJson } from '../json.ts';

/** Weights of layers by the layer's path and their own name: `conv1`, `kernel`. */
export class LayerWeights {
  private readonly weights: ReadonlyMap<string, Tensor>;
  private readonly e: Emitter;
  /** Names of the networks around a layer, as they may stand before its path: all of them first, none last. */
  private readonly networks: readonly string[];
  private readonly emitted: Map<string, string>;

  constructor(
    weights: ReadonlyMap<string, Tensor>,
    e: Emitter,
    networks: readonly string[] = [''],
    emitted = new Map<string, string>(),
  ) {
    this.weights = weights;
    this.e = e;
    this.networks = networks;
    this.emitted = emitted;
  }

  /** The same weights, as the layers of a network inside see them. */
  inside(network: string): LayerWeights {
    const networks = [...this.networks.map((n) => `${n}${network}/`), ''];
    return new LayerWeights(this.weights, this.e, networks, this.emitted);
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
    return [...this.weights.keys()].some((k) => this.networks.some((n) => k.startsWith(`${n}${path}/`)));
  }

  private find(path: string, name: string): string {
    const found = this.candidates(path, name);
    if (found.length === 1) return found[0]!;
    if (found.length === 0) throw invalidJson(`the weights hold no '${path}/${name}'`);
    throw invalidJson(`more than one weight is a '${path}/${name}': ${found.slice(0, 4).join(', ')}`);
  }

  /** By exact name, else with the name of a cell after the layer's; with the networks around it, else with any network before it. */
  private candidates(path: string, name: string): string[] {
    const all = [...this.weights.keys()].filter((k) => k.endsWith(`/${name}`));
    for (const network of this.networks) {
      const exact = `${network}${path}/${name}`;
      if (this.weights.has(exact)) return [exact];
      const within = all.filter((k) => k.startsWith(`${network}${path}/`));
      if (within.length > 0) return within;
    }
    return all.filter((k) => k.includes(`/${path}/`));
  }
}
