import { type PublishedLatency, publishedLatencies, rowsOf, solve } from '../../sdk/compile/cost-calibrate.ts';
import type { SharedConstants } from '../../sdk/compile/cost-shared.ts';
import { listProfiles, loadProfile, type Profile } from '../../sdk/compile/profile.ts';

/** A board whose constants can be fitted and tried. */
export interface Board {
  readonly profile: Profile;
  readonly published: readonly PublishedLatency[];
}

/** The two networks that the constants of a board are fitted on. */
export type Pair = readonly [string, string];

export interface Prediction extends PublishedLatency {
  readonly predicted: number;
}

/** Small and large, and published for every board. */
export const USUAL_PAIR: Pair = ['mobilenet_v1', 'resnet50'];

/** Boards with latencies of enough networks to hold some back. */
export function publishedBoards(): Board[] {
  return listProfiles()
    .filter((p) => p.form === 'board')
    .map(({ id }) => loadProfile(id))
    .map((profile) => ({ profile, published: publishedLatencies(profile) }))
    .filter((b) => new Set(b.published.map((l) => l.network)).size > 3);
}

/** All pairs of networks that every board is published with. */
export function pairsOf(boards: readonly Board[]): Pair[] {
  const [first, ...others] = boards.map((b) => new Set(b.published.map((l) => l.network)));
  const common = [...first!].filter((n) => others.every((o) => o.has(n))).sort();
  return common.flatMap((a, i) => common.slice(i + 1).map((b): Pair => [a, b]));
}

/** Latencies of the networks of a board that are not in the pair, predicted by constants that were fitted on the pair alone. */
export function heldOut({ profile, published }: Board, shared: SharedConstants, pair: Pair): Prediction[] {
  const rows = rowsOf(published, profile, shared);
  const seen = (i: number): boolean => pair.includes(published[i]!.network);
  const x = solve(
    rows.filter((_, i) => seen(i)),
    shared.ridge,
  );
  return published.flatMap((l, i) => {
    const [a, b, c] = rows[i]!;
    return seen(i) ? [] : [{ ...l, predicted: l.ms * (a * x[0] + b * x[1] + c * x[2]) }];
  });
}

export function meanError(predictions: readonly Prediction[]): number {
  return predictions.reduce((sum, p) => sum + Math.abs(p.predicted / p.ms - 1), 0) / predictions.length;
}

/** Spearman's: the correlation of the ranks, those of equal values averaged. */
export function rankCorrelation(predictions: readonly Prediction[]): number {
  const published = ranks(predictions.map((p) => p.ms));
  const predicted = ranks(predictions.map((p) => p.predicted));
  const middle = (predictions.length + 1) / 2;
  let [both, a, b] = [0, 0, 0];
  published.forEach((r, i) => {
    both += (r - middle) * (predicted[i]! - middle);
    a += (r - middle) ** 2;
    b += (predicted[i]! - middle) ** 2;
  });
  return both / Math.sqrt(a * b);
}

function ranks(values: readonly number[]): number[] {
  const below = (v: number): number => values.filter((w) => w < v).length;
  const equal = (v: number): number => values.filter((w) => w === v).length;
  return values.map((v) => below(v) + (equal(v) + 1) / 2);
}

/** Mean error on a board over pairs of networks to fit on; what has been asked before is remembered. */
export type Score = (board: Board, shared: SharedConstants) => number;

export function scoreOver(pairs: readonly Pair[]): Score {
  const known = new Map<string, number>();
  return (board, shared) => {
    const key = `${board.profile.id} ${JSON.stringify(shared)}`;
    let error = known.get(key);
    if (error === undefined) {
      error = pairs.reduce((sum, pair) => sum + meanError(heldOut(board, shared, pair)), 0) / pairs.length;
      known.set(key, error);
    }
    return error;
  };
}
