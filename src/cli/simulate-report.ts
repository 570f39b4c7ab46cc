import type { StudyPolicyName } from '../experts/study/policies.ts';
import type { SizeStudy, Study } from '../experts/study/study.ts';
import type { RoutingTrace } from '../experts/study/trace.ts';
import { drawChart, type Curve } from './chart.ts';
import { formatBytes, formatCount, table, type Align } from './words.ts';

/** Rows below a heading; all sections of a report share their columns. */
interface Section {
  readonly heading: string;
  readonly rows: readonly (readonly string[])[];
}

const BOUNDS = [
  ['perLayer', 'bound per layer'],
  ['onePool', 'bound of one pool'],
] as const;

/** The results of a simulation as text. */
export function report(trace: RoutingTrace, names: readonly StudyPolicyName[], found: Study): string {
  const { sizes } = found;
  const sections: Section[] = [
    {
      heading: "cache, in units of one token's experts",
      rows: [
        ['ratio', ...sizes.map(({ ratio }) => String(ratio))],
        ['experts', ...sizes.map(({ places }) => formatCount(places))],
        ['size', ...sizes.map(({ cacheBytes }) => formatBytes(cacheBytes))],
      ],
    },
    {
      heading: 'hit rate, % of expert uses',
      rows: [
        ...names.map((name) => [name, ...sizes.map(({ policies }) => percent(policies[name]?.hitRate))]),
        ...BOUNDS.map(([bound, name]) => [name, ...sizes.map(({ bounds }) => percent(bounds[bound]))]),
      ],
    },
    {
      heading: 'loaded for a token',
      rows: names.map((name) => [
        name,
        ...sizes.map(({ policies }) => formatBytes(Math.round(policies[name]?.bytesPerToken ?? 0))),
      ]),
    },
    {
      heading: 'best fixed choice of this size for N tokens (SRP), F1 %',
      rows: found.segments.map(({ tokens, fixed }) => [
        `N = ${tokens}`,
        ...fixed.map(({ f1 }) => percent(f1 ?? undefined)),
      ]),
    },
    ...names.slice(0, 1).map((name) => ({ heading: `${name} in detail`, rows: detail(trace, name, sizes) })),
    {
      heading: 'hit rate of a pool that looks N tokens ahead (SCH), %',
      rows: found.segments.map(({ tokens, cache }) => [
        `N = ${tokens}`,
        ...cache.map(({ hitRate }) => percent(hitRate)),
      ]),
    },
  ];
  return `${title(trace)}\n\n${layOut(sections)}\n${segmentTable(found)}\n${concentrationTable(trace, found)}`;
}

function detail(trace: RoutingTrace, name: StudyPolicyName, sizes: readonly SizeStudy[]): string[][] {
  const uses = trace.ids.length - (trace.starts[trace.warmUp * trace.layers] ?? 0);
  const row = (label: string, cell: (of: NonNullable<SizeStudy['policies'][StudyPolicyName]>) => string) => [
    label,
    ...sizes.map(({ policies }) => {
      const of = policies[name];
      return of ? cell(of) : '-';
    }),
  ];
  return [
    row('misses: first use, %', ({ misses }) => percent(misses.compulsory / uses)),
    row('misses: too few places, %', ({ misses }) => percent(misses.capacity / uses)),
    row('misses: policy, %', ({ misses }) => percent(misses.policy / uses)),
    row('evictions a token', ({ evictionsPerToken }) => evictionsPerToken.toFixed(1)),
    row('layers without a miss, %', ({ layerHitRate }) => percent(layerHitRate)),
    row('tokens without a miss, %', ({ tokenHitRate }) => percent(tokenHitRate)),
  ];
}

function concentrationTable({ units, topK }: RoutingTrace, { concentration }: Study): string {
  const { gini, topFive, half, kept } = concentration;
  return table(
    [
      ['uses of experts, mean of layers', ''],
      ['  Gini coefficient', gini.toFixed(2)],
      ['  of the five with most, %', percent(topFive)],
      [`  experts with half of them, of ${formatCount(units)}`, (half * units).toFixed(1)],
      [`  top ${topK} of both halves of the text, Jaccard`, kept.toFixed(2)],
    ],
    ['left', 'right'],
  );
}

function segmentTable({ segments }: Study): string {
  return table(
    [
      ['segments of N tokens', ...segments.map(({ tokens }) => `N = ${tokens}`)],
      ['  best fixed choice, F1 (SRP), %', ...segments.map(({ routing }) => percent(routing?.f1))],
      ['  its ratio', ...segments.map(({ routing }) => routing?.ratio.toFixed(2) ?? '-')],
    ],
    rightFrom(1, segments.length),
  );
}

function layOut(sections: readonly Section[]): string {
  const rows = sections.flatMap(({ rows: own }) =>
    own.map(([name = '', ...cells]) => [`  ${name}`, ...cells]),
  );
  const lines = table(rows, rightFrom(1, rows[0]?.length ?? 0)).split('\n');
  let at = 0;
  return sections
    .map(({ heading, rows: { length } }) => {
      const own = lines.slice(at, at + length);
      at += length;
      return `${[heading, ...own].join('\n')}\n`;
    })
    .join('\n');
}

function title({ label, layers, units, topK, steps, warmUp }: RoutingTrace): string {
  const sizes = `${layers} layers of ${formatCount(units)} experts, ${topK} a token`;
  return `${label}: ${sizes}, ${formatCount(steps - warmUp)} tokens`;
}

/** Hit rate over cache size, for every policy and for the bounds. */
export function chart(trace: RoutingTrace, names: readonly StudyPolicyName[], { sizes }: Study): string {
  const curve = (name: string, rate: (size: SizeStudy) => number): Curve => ({
    name,
    points: sizes.map((size) => [size.ratio, 100 * rate(size)] as const),
  });
  return drawChart({
    title: 'Expert cache: hits by size and eviction policy',
    subtitle: title(trace),
    xLabel: "cache size, in units of one token's experts",
    yLabel: 'hit rate, % of expert uses',
    ticks: sizes.map(({ ratio }) => ratio),
    curves: [
      ...BOUNDS.map(([bound, name]) => ({ ...curve(name, ({ bounds }) => bounds[bound]), isBound: true })),
      ...names.map((name) => curve(name, ({ policies }) => policies[name]?.hitRate ?? 0)),
    ],
  });
}

function percent(share: number | undefined): string {
  return share === undefined ? '-' : (100 * share).toFixed(1);
}

function rightFrom(first: number, columns: number): Align[] {
  return Array.from({ length: first + columns }, (_, column) => (column < first ? 'left' : 'right'));
}
