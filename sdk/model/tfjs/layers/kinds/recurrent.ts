import { entryOf } from '../../json.ts';
import { type Cell, recur } from '../../lib/recurrent.ts';
import { concat, reshape, slice } from '../../lib/shape.ts';
import type { LayerCall, LayerTable, TranslateLayer } from '../layer.ts';
import { type LayerSpec, readLayer } from '../network.ts';

function reversed(l: LayerCall, x: string): string {
  return slice(l.e, x, [-1], [-(2 ** 31)], [1], [-1]);
}

const recurrent =
  (cell: Cell): TranslateLayer =>
  (l) => {
    if (l.bool('stateful'))
      l.e.reject('stateful is not supported', 'Save it with stateful: false, or give it its states as inputs.');
    if (l.bool('time_major')) l.e.reject('time_major is not supported', 'Save it with time_major: false.');
    const backwards = l.bool('go_backwards');
    const { sequence, states } = recur(l.e, l.x, {
      cell,
      units: l.ints('units', 1)[0]!,
      kernel: l.weight('kernel'),
      recurrent: l.weight('recurrent_kernel'),
      bias: l.weightIf('bias', 'use_bias'),
      activation: l.activation('activation', 'tanh'),
      recurrentActivation: l.activation('recurrent_activation', 'hard_sigmoid'),
      resetAfter: l.bool('reset_after'),
      backwards,
      initial: l.inputs.slice(1),
    });
    // What goes backwards gives its steps in the order in which it took them.
    const all = (): string => (backwards ? reversed(l, sequence) : sequence);
    const y = l.bool('return_sequences') ? all() : states[0]!;
    return l.bool('return_state') ? [y, ...states] : y;
  };

const MERGE_OPS: Readonly<Record<string, string>> = { sum: 'Add', mul: 'Mul' };

function bidirectional(l: LayerCall): string | readonly string[] {
  const forward = readLayer(l.config.layer);
  const backward = l.has('backward_layer')
    ? readLayer(l.config.backward_layer)
    : { ...forward, config: { ...forward.config, go_backwards: forward.config.go_backwards !== true } };
  const half = (l.inputs.length - 1) / 2;
  const run = (spec: LayerSpec, prefix: string, states: readonly string[]): readonly string[] => {
    const name = spec.name.startsWith(prefix) ? spec.name : `${prefix}${spec.name}`;
    return l.apply({ ...spec, name }, l.within(name), [l.x, ...states]);
  };
  const [a, ...statesA] = run(forward, 'forward_', l.inputs.slice(1, 1 + half));
  const [b, ...statesB] = run(backward, 'backward_', l.inputs.slice(1 + half));
  const sequences = forward.config.return_sequences === true;
  const last = sequences ? reversed(l, b!) : b!;
  const mode = l.config.merge_mode === null ? 'none' : l.string('merge_mode', 'concat');
  const states = [...statesA, ...statesB];
  if (mode === 'none') return [a!, last, ...states];
  if (mode === 'concat') return [concat(l.e, [a!, last], l.e.shape(a!).length - 1), ...states];
  if (mode === 'ave') return [l.e.op('Mean', [a!, last]), ...states];
  const op = entryOf(MERGE_OPS, mode) ?? l.e.reject(`merge mode '${mode}' is not supported`);
  return [l.e.op(op, [a!, last]), ...states];
}

/** Steps are applied as one batch. */
function timeDistributed(l: LayerCall): string {
  const inner = readLayer(l.config.layer);
  const [batch, steps, ...rest] = l.shape() as [number, number, ...number[]];
  const flat = reshape(l.e, l.x, [batch * steps, ...rest]);
  const [y] = l.apply(inner, l.pathFor(inner.name), [flat]);
  return reshape(l.e, y!, [batch, steps, ...l.e.shape(y!).slice(1)]);
}

export const RECURRENT: LayerTable = {
  SimpleRNN: recurrent('SimpleRNN'),
  LSTM: recurrent('LSTM'),
  GRU: recurrent('GRU'),
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
};
