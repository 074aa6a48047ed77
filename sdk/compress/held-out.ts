import type { Tensor } from '../util/tensor.ts';
import { answerOf } from './answers.ts';
import { type Context, isText } from './context.ts';
import { referenceOf } from './divergence.ts';
import { type HeldOut, heldOut, runs } from './evaluate.ts';
import { measuresOf, type State, statesOf } from './outputs.ts';
import type { QualityMeasure } from './quality.ts';
import type { Session } from './runner.ts';
import { checkSignal } from './stream.ts';
import type { Sample } from './types.ts';

/** Samples whose answers by the original are looked at for what compression would change in them. */
const MOST_ANSWERS = 256;
/** Steps of a sequence that carries states along. */
const SEQUENCE = 256;

/** The original's answers to the held-out samples, each by itself. */
export async function separateAnswers(ctx: Context, float: Session): Promise<HeldOut> {
  const { divergence, seed, metric } = ctx.options;
  const { answers } = ctx;
  const outputs = answers ? ctx.held.map((s) => answers.get(s)!) : await outputsOf(ctx, float, ctx.held);
  const held = heldOut(measuresOf(ctx.graph, outputs[0]!, divergence), ctx.held, outputs, seed, { metric });
  return metric || statesOf(ctx.graph).length > 0 ? held : { ...held, measure: await measureOf(ctx, held, float) };
}

/**
 * What candidates are judged by: the answers that a device gives. Where states are carried along, what rounding does to them adds up over
 * many steps, so the held-out samples become one sequence. The caller's metric and answers know samples one by one.
 */
export async function judgedAnswers(ctx: Context, float: Session, separate: HeldOut): Promise<HeldOut> {
  const { divergence, seed, metric } = ctx.options;
  const states = statesOf(ctx.graph);
  if (metric || ctx.answers || states.length === 0) return separate;
  const samples = Array.from({ length: Math.ceil(SEQUENCE / ctx.held.length) }, () => ctx.held).flat();
  const outputs = await outputsOf(ctx, float, samples, states);
  const isState = new Set(states.map((s) => s.output));
  const measures = measuresOf(ctx.graph, outputs[0]!, divergence).filter((m) => !isState.has(m.name));
  const held = heldOut(measures, samples, outputs, seed, { states });
  return { ...held, measure: await measureOf(ctx, held, float) };
}

async function outputsOf(
  { progress, signal }: Context,
  session: Session,
  samples: readonly Sample[],
  states: readonly State[] = [],
): Promise<Readonly<Record<string, Tensor>>[]> {
  const out: Readonly<Record<string, Tensor>>[] = [];
  for await (const outputs of runs(session, samples, states)) {
    checkSignal(signal);
    out.push(outputs);
    progress({ stage: 'reference', done: out.length, total: samples.length });
  }
  return out;
}

/** What quality is: of texts their likelihood; of samples that are one answer the answers, to be seen on others than the held-out ones too. */
async function measureOf(ctx: Context, { references }: HeldOut, float: Session): Promise<QualityMeasure> {
  const { graph, held, fit, options, signal } = ctx;
  const { parts } = references[0]!;
  const rows = parts.reduce((n, p) => n + p.rows.length, 0);
  const distributions = parts.every((p) => p.kind === 'logits' || p.kind === 'probabilities');
  if (isText(graph) && distributions && rows > 1) return { kind: 'likelihood' };
  if (answerOf(references[0]!) === undefined) return { kind: 'score' };
  const more = held === fit ? [] : fit.slice(0, Math.max(0, MOST_ANSWERS - references.length));
  const answers = references.map((r) => answerOf(r)!);
  for (const sample of more) {
    checkSignal(signal);
    answers.push(answerOf(referenceOf(parts, ctx.answers?.get(sample) ?? (await float.run(sample)), options.seed))!);
  }
  return { kind: 'answers', answers };
}
