/** Curves as a self-contained SVG file that reads on light and on dark pages. */

/** A chart of curves, drawn as SVG. */
export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly ticks: readonly number[]; // on the x axis
  readonly curves: readonly Curve[];
}

/** One curve of a chart. */
export interface Curve {
  readonly name: string;
  readonly isBound?: boolean; // dashed and grey
  readonly points: readonly (readonly [x: number, percent: number])[];
}

const WIDTH = 900;
const HEIGHT = 560;
const PLOT = { left: 76, right: WIDTH - 176, top: 84, bottom: HEIGHT - 66 };
const LABEL_GAP = 17; // between the names beside the curves

// Okabe and Ito's colours, which people with any colour vision tell apart; the first yellow is too pale for paper.
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];

const STYLE = `
  svg { --page: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d1d9e0; --bound: #6e7781; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #e6edf3; --faint: #9198a1; --grid: #30363d; --bound: #8b949e; }
  }
  text { font: 14px system-ui, sans-serif; fill: var(--ink); }
  .title { font-size: 20px; font-weight: 600; }
  .faint, .tick { fill: var(--faint); }
  .grid { stroke: var(--grid); }
  .curve { fill: none !important; stroke-width: 2.5; stroke-linejoin: round; }
  .bound { stroke-dasharray: 6 5; }
  .leader { stroke-width: 1.5; }`;

/** @returns the text of an SVG file; percents go from 0 to 100 */
export function drawChart({ title, subtitle, xLabel, yLabel, ticks, curves }: Chart): string {
  const low = Math.min(...ticks);
  const span = Math.max(...ticks) - low || 1;
  const x = (value: number) => PLOT.left + ((value - low) / span) * (PLOT.right - PLOT.left);
  const y = (percent: number) => PLOT.bottom - (percent / 100) * (PLOT.bottom - PLOT.top);
  const middle = (PLOT.left + PLOT.right) / 2;
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" style="fill: var(--page)"/>`,
    text(PLOT.left, 36, title, 'class="title"'),
    text(PLOT.left, 60, subtitle, 'class="faint"'),
    ...[0, 20, 40, 60, 80, 100].flatMap((percent) => [
      line(PLOT.left, y(percent), PLOT.right, y(percent), 'class="grid"'),
      text(PLOT.left - 10, y(percent) + 5, `${percent} %`, 'class="tick" text-anchor="end"'),
    ]),
    ...ticks.flatMap((tick) => [
      line(x(tick), PLOT.bottom, x(tick), PLOT.bottom + 6, 'class="grid"'),
      text(x(tick), PLOT.bottom + 24, String(tick), 'class="tick" text-anchor="middle"'),
    ]),
    text(middle, HEIGHT - 18, xLabel, 'text-anchor="middle"'),
    text(
      0,
      0,
      yLabel,
      `text-anchor="middle" transform="translate(22 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)"`,
    ),
    ...drawCurves(curves, x, y),
  ];
  const box = `viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}"`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" ${box} role="img">\n<title>${escape(title)}</title>\n` +
    `<style>${STYLE}\n</style>\n${parts.join('\n')}\n</svg>\n`
  );
}

type Scale = (value: number) => number;

/** The curves, the first of them on top and the bounds at the bottom, each with its name at its right end. */
function drawCurves(curves: readonly Curve[], x: Scale, y: Scale): string[] {
  let next = 0;
  const drawn = curves.map(({ name, isBound = false, points }) => {
    const colour = isBound ? 'var(--bound)' : (COLOURS[next++ % COLOURS.length] ?? '');
    const ends = points.map(([size, percent]) => [round(x(size)), round(y(percent))] as const);
    return { name, isBound, stroke: `style="stroke: ${colour}; fill: ${colour}"`, ends };
  });
  const labels = spread(drawn.map(({ ends }) => ends.at(-1)?.[1] ?? 0));
  const names = drawn.flatMap(({ name, stroke, ends }, index) => {
    const [endX = 0, endY = 0] = ends.at(-1) ?? [];
    const at = labels[index] ?? 0;
    return [
      line(endX, endY, PLOT.right + 24, at, `class="leader" ${stroke}`),
      text(PLOT.right + 30, at + 5, name, ''),
    ];
  });
  const bottomUp = [...drawn].reverse().sort((a, b) => Number(b.isBound) - Number(a.isBound));
  const paths = bottomUp.flatMap(({ ends, isBound, stroke }) => [
    `<polyline class="curve${isBound ? ' bound' : ''}" ${stroke} points="${ends.join(' ')}"/>`,
    ...ends.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" ${stroke}/>`),
  ]);
  return [...names, ...paths];
}

/** Heights near the wanted ones, in the same order, no two closer than the gap, all beside the plot. */
function spread(wanted: readonly number[]): number[] {
  const order = [...wanted.keys()].sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const heights = [...wanted];
  let floor = PLOT.top;
  for (const index of order) {
    heights[index] = Math.max(floor, heights[index] ?? 0);
    floor = (heights[index] ?? 0) + LABEL_GAP;
  }
  let ceiling = PLOT.bottom;
  for (const index of order.toReversed()) {
    heights[index] = Math.min(ceiling, heights[index] ?? 0);
    ceiling = (heights[index] ?? 0) - LABEL_GAP;
  }
  return heights;
}

function line(x1: number, y1: number, x2: number, y2: number, attributes: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" ${attributes}/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escape(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
