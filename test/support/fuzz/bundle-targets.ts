import {
  BundleAssembly,
  bytesSource,
  decodeIndex,
  encodeIndex,
  indexBundle,
  makeDelta,
  openBundle,
} from '../../../sdk/bundle/index.ts';
import { WEIGHTS } from '../../../sdk/bundle/names.ts';
import { crc32 } from '../../../sdk/util/crc32.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../../../sdk/wire/cbor.ts';
import { decodeWeights } from '../../../sdk/wire/weights.ts';
import { outcomeOf } from '../corruption.ts';
import { memoryTarget, openState, stateBundle } from '../trained-bundles.ts';
import { mutated, mutatedTree, oneOf } from './mutate.ts';
import { type FuzzTarget, refusing, refusingLater, sameBytes } from './target.ts';

/** Rows of matrices: small, so that many are tried. */
const SIZE = 4;
const STATES = [0, 1, 2, 3] as const;
const BUNDLES = STATES.map((state) => ({ bytes: stateBundle(state, SIZE), bundle: openState(state, SIZE) }));
const FILES = BUNDLES.map((b) => b.bytes);

const bundles: FuzzTarget = {
  name: 'bundles',
  share: 60,
  once(rng) {
    const { bytes, bundle } = oneOf(BUNDLES, rng);
    const changed = mutated(bytes, FILES, rng);
    // With the digest known a bundle is that one, part by part, or none; without, it is at least whole in itself.
    const known = rng.below(2) === 0;
    const opened = refusing(/^EW600[125]/, () => openBundle(changed, known ? { digest: bundle.digest } : {}));
    if (!opened) return 'refused';
    if (known && opened.digest !== bundle.digest) throw new Error('another digest than was asked for is accepted');
    const same = BUNDLES.find((b) => b.bundle.digest === opened.digest)?.bundle;
    if (!same) throw new Error('a manifest that nobody has made is accepted');
    for (const [name, part] of opened.parts) sameBytes(`part '${name}'`, part, same.parts.get(name)!);
    return 'taken';
  },
};

const STREAMS = BUNDLES.map(({ bundle }) => ({
  stream: bundle.parts.get(WEIGHTS)!,
  slots: bundle.manifest.program.weights,
}));
const STREAM_BYTES = STREAMS.map((s) => s.stream);

const containers: FuzzTarget = {
  name: 'weights',
  share: 60,
  once(rng) {
    const { stream, slots } = oneOf(STREAMS, rng);
    const changed = mutated(stream, STREAM_BYTES, rng);
    const extent = rng.below(2) === 0 ? 'whole' : 'prefix';
    return refusing(/^EW6002/, () => decodeWeights(changed, slots, undefined, extent)) ? 'taken' : 'refused';
  },
};

const INDICES = await Promise.all(
  BUNDLES.map(async ({ bytes }) => {
    const index = await indexBundle(bytesSource(bytes));
    return { index, bytes: encodeIndex(index), archive: bytes };
  }),
);
const INDEX_BYTES = INDICES.map((i) => i.bytes);

const indices: FuzzTarget = {
  name: 'indices of chunks',
  share: 90,
  once(rng) {
    const { index, bytes } = oneOf(INDICES, rng);
    let changed = mutated(bytes, INDEX_BYTES, rng);
    if (rng.below(2) === 0)
      try {
        changed = encodeCbor(mutatedTree(decodeCbor(bytes), rng) as CborValue);
      } catch {
        // A value that has no encoding: the changed bytes it is.
      }
    const read = refusing(/^EW60(06|10)/, () => decodeIndex(changed, index));
    if (!read) return 'refused';
    sameBytes('the index', encodeIndex(read), changed);
    return 'taken';
  },
};

const chunks: FuzzTarget = {
  name: 'chunks',
  share: 20,
  async once(rng) {
    const { index, bytes, archive } = oneOf(INDICES, rng);
    // Somebody's index, and somebody's chunks: what is whole in the end is the bundle.
    const changed = rng.below(2) === 0 ? bytes : mutated(bytes, INDEX_BYTES, rng);
    const read = refusing(/^EW60(06|10)/, () => decodeIndex(changed, index));
    if (!read) return 'refused';
    const target = memoryTarget(read.bytes);
    const assembly = new BundleAssembly(read, target);
    for (const i of assembly.missing) {
      const { from, bytes: count } = read.chunks[i]!;
      const right = archive.subarray(from, from + count);
      const sent = rng.below(20) === 0 ? mutated(right, [], rng) : right;
      const put = await refusingLater(/^EW6010/, () => assembly.put(i, sent).then(() => true));
      if (put && Buffer.compare(sent, right) !== 0 && changed === bytes)
        throw new Error(`a wrong chunk ${i} is accepted`);
    }
    if ((await refusingLater(/^EW6010/, () => assembly.finish())) === undefined) return 'refused';
    sameBytes('the bundle', target.content, archive);
    return 'taken';
  },
};

const DELTAS = ([1, 2, 3] as const).map((state) => ({
  delta: makeDelta(BUNDLES[0]!.bundle, BUNDLES[state]!.bundle).bytes,
  old: BUNDLES[0]!.bytes,
  now: BUNDLES[state]!.bundle,
  wanted: BUNDLES[state]!.bytes,
}));
const DELTA_BYTES = DELTAS.map((d) => d.delta);

const deltas: FuzzTarget = {
  name: 'deltas',
  share: 60,
  async once(rng) {
    const { delta, ...update } = oneOf(DELTAS, rng);
    const changed = mutated(delta, DELTA_BYTES, rng).slice();
    // The checksum is against accidents: somebody's delta has the right one.
    if (changed.length > 8 && rng.below(4) > 0)
      new DataView(changed.buffer).setUint32(changed.length - 4, crc32(changed.subarray(0, -4)), true);
    return (await outcomeOf(changed, update)) === 'made' ? 'taken' : 'refused';
  },
};

export const BUNDLE_TARGETS: readonly FuzzTarget[] = [bundles, containers, indices, chunks, deltas];
