import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exposures } from '../../../sdk/compress/noise.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { NetworkBuilder } from './networks.ts';

test('noise on what reaches an output past all layers counts as infinite, on what is multiplied by 0 as nothing', () => {
  const n = new NetworkBuilder('masked', 1);
  const x = n.conv('first', n.input('image', { dtype: 'f32', shape: [1, 4, 4, 2] }), [3, 3, 3, 2]);
  const second = n.conv('second', x, [3, 1, 1, 3]);
  const sum = n.op('Add', 'sum', [second, x]);
  const graph = n.build(n.op('Mul', 'masked', [sum, n.b.constant('mask', tensor('f32', [3], [2, 0, 1]))]));
  const layer = graph.nodes.find((node) => node.name === 'second')!;
  const found = exposures(graph, new Map([[layer, Float64Array.of(1, 2, 3)]])).get(x)!;
  const gainsOf = (reader: string): number[] => [...found.find((e) => e.reader.name === reader)!.gains];
  assert.equal(gainsOf('second'), [1, 2, 3]);
  assert.equal(gainsOf('sum'), [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY]);
});

test.run();
