import { report } from '../../../sdk/index.ts';
import { spreadOf } from '../results.ts';
import { FREE, type LayerTime, type ScalingDocument, type ScalingSeries } from '../scaling.ts';
import { aligned, time } from './tables.ts';

const { figureOf, linePlot, pageOf, tableOf } = report;

/** Times are to be this near to the line, and two threads this much faster where a layer has so many multiply-accumulates. */
const NEAR = 0.15;
const FASTER = 1.7;
const LARGE = 10e6;

const signed = (v: number): string => `${v < 0 ? '-' : '+'}${Math.abs(100 * v).toFixed(1)} %`;

function tableOfSeries({ layers }: ScalingSeries): string[][] {
  return [
    ['MACs', 'bytes', 'time', 'GMAC/s', 'from the line', 'two threads', 'network', 'two threads', 'the machine gave'],
    ...layers.map((l) => [
      `${(l.macs / 1e6).toFixed(2)} M`,
      `${(l.bytes / 1e3).toFixed(0)} kB`,
      time(l.seconds),
      (l.macs / l.seconds / 1e9).toFixed(1),
      `${signed(l.deviation)}${Math.abs(l.deviation) > NEAR ? ' !' : ''}`,
      `${l.twoThreads.toFixed(2)}x${l.macs > LARGE && l.twoThreads < FASTER ? ' !' : ''}`,
      time(l.network.seconds),
      `${l.network.twoThreads.toFixed(2)}x`,
      `${l.control.toFixed(2)}x${l.control < FREE ? ' (not idle)' : ''}`,
    ]),
  ];
}

function lineText({ line: { perMac, perByte, fixed } }: ScalingSeries): string {
  const rate = (perSecond: number, unit: string): string =>
    perSecond === Number.POSITIVE_INFINITY ? `any ${unit}` : `${(perSecond / 1e9).toFixed(1)} G${unit}`;
  return `line: ${rate(1 / perMac, 'MAC/s')}, ${rate(1 / perByte, 'B/s')}, ${time(fixed)} a run`;
}

/** How much of the goals is reached, in words. */
function verdict(series: readonly ScalingSeries[]): string {
  const layers = series.flatMap((s) => s.layers);
  const far = layers.filter((l) => Math.abs(l.deviation) > NEAR).length;
  const large = layers.filter((l) => l.macs > LARGE);
  const slow = large.filter((l) => l.twoThreads < FASTER).length;
  const gained = (of: (l: LayerTime) => number): string => {
    const { median, low, high } = spreadOf(large.map(of));
    const all = large.map(of);
    return `${median.toFixed(2)} times at the median (quartiles ${low.toFixed(2)} to ${high.toFixed(2)}, all ${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})`;
  };
  const given = spreadOf(layers.map((l) => l.control));
  const dropped = layers.reduce((sum, l) => sum + l.dropped, 0);
  const busy = layers.filter((l) => l.control < FREE).length;
  return [
    `${layers.length - far} of ${layers.length} layers are within ${100 * NEAR} % of the line of their kind`,
    `${large.length - slow} of ${large.length} with more than 10 M MACs are at least ${FASTER} times faster with two threads, ${gained((l) => l.twoThreads)}; networks of three such layers, with the application's floats in and out, ${gained((l) => l.network.twoThreads)}`,
    `the machine gave two threads of arithmetic alone ${given.median.toFixed(2)} times the speed of one (quartiles ${given.low.toFixed(2)} to ${given.high.toFixed(2)})`,
    `${dropped} rounds in which it gave less than ${FREE}, or something else had a core, were left out`,
    ...(busy > 0 ? [`${busy} layers were timed without a rest of it: the machine was not idle`] : []),
  ].join('; ');
}

/** For the terminal; what misses a goal has a mark. */
export function scalingText({ machine, rounds, series }: ScalingDocument): string {
  const parts = series.map((s) => `${s.engine}, ${s.family}\n${aligned(tableOfSeries(s))}\n${lineText(s)}`);
  const { processor, cores, node } = machine;
  return [...parts, verdict(series), `${processor}, ${cores} cores, Node ${node}; ${rounds} rounds`].join('\n\n');
}

export function scalingPage({ machine, rounds, series }: ScalingDocument): string {
  const { processor, cores, node } = machine;
  return pageOf({
    title: 'How time grows with work',
    lead: `${verdict(series)}. ${processor}, ${cores} cores, Node ${node}; ${rounds} rounds.`,
    sections: series.map((s) => ({
      title: `${s.engine}, ${s.family}`,
      content: [
        figureOf({
          title: 'Time against multiply-accumulates.',
          caption: `One thread, median; ${lineText(s)}.`,
          content: linePlot({
            label: `Time against multiply-accumulates, ${s.engine}, ${s.family}`,
            x: { title: 'million multiply-accumulates', format: (v) => String(v), logarithmic: true },
            y: { title: 'microseconds', format: (v) => String(v), logarithmic: true },
            series: [
              {
                name: 'line',
                colour: 'soft',
                points: s.layers.map((l) => ({ x: l.macs / 1e6, y: (1e6 * l.seconds) / (1 + l.deviation) })),
              },
              {
                name: 'measured',
                colour: 'one',
                points: s.layers.map((l) => ({ x: l.macs / 1e6, y: 1e6 * l.seconds, tip: time(l.seconds) })),
                scatter: true,
              },
            ],
            height: 260,
          }),
        }),
        tableFrom(tableOfSeries(s)),
      ],
    })),
  });
}

function tableFrom([titles, ...rows]: readonly (readonly string[])[]): report.Markup {
  return tableOf(
    titles!.map((title) => ({ title, numeric: true })),
    rows,
  );
}
