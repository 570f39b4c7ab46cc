import { badTrace, buildTrace, type RoutingTrace } from './trace.ts';

/**
 * Route traces of BigMoeOnEdge: comments with the model's sizes, the names of the columns, then a row for each use.
 *
 * While a prompt is read, the last layer only sees its last token: that one step is the first to list every layer. It
 * fills the cache and does not count; the steps before it are left out.
 */

const COLUMNS = ['phase', 'step', 'layer', 'slot', 'expert'] as const;
const PREFILL = 0;
const DECODE = 1;

type Row = Readonly<Record<(typeof COLUMNS)[number] | 'turn', number>>;

interface Step {
  readonly phase: number;
  readonly units: Map<number, number[]>; // by layer, in rank order
}

/**
 * @param label - what errors call the file
 * @throws {AtomoeError} bad-file - not such a trace
 */
export function parseTraceCsv(text: string, label: string): RoutingTrace {
  const lines = text.split(/\r?\n/);
  const comments = lines.filter((line) => line.startsWith('#'));
  const steps = readSteps(readRows(lines, label), label);
  const layers = [...new Set(steps.flatMap(({ units }) => [...units.keys()]))].sort((a, b) => a - b);
  const prefill = steps.filter(({ phase, units }) => phase === PREFILL && units.size === layers.length);
  const decode = steps.filter(({ phase }) => phase === DECODE);
  const number = (pattern: RegExp, what: string) => {
    const [, value] = comments.map((line) => pattern.exec(line)).find((found) => found !== null) ?? [];
    if (value === undefined) throw badTrace(label, `no comment says ${what}, one is wanted`);
    return Number(value);
  };
  const head = {
    label: modelName(comments) ?? label,
    layers: layers.length,
    units: number(/ n_expert=(\d+)/, 'n_expert'),
    topK: number(/ n_expert_used=(\d+)/, 'n_expert_used'),
    unitBytes: layers.map((layer) =>
      number(new RegExp(` layer=${layer} expert_bytes=(\\d+)`), `the expert_bytes of layer ${layer}`),
    ),
    prime: null,
    warmUp: prefill.length,
  };
  return buildTrace(
    head,
    [...prefill, ...decode].map(({ units }) => layers.map((layer) => units.get(layer) ?? [])),
  );
}

function modelName(comments: readonly string[]): string | undefined {
  const [, path] = comments.map((line) => / model=(\S+)/.exec(line)).find((found) => found !== null) ?? [];
  return path?.split('/').at(-1);
}

function readRows(lines: readonly string[], label: string): Row[] {
  const first = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
  const names = lines[first]?.split(',') ?? [];
  const missing = COLUMNS.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw badTrace(label, `there is no column "${missing}", ${COLUMNS.join(', ')} are wanted`);
  }
  const places = { ...placesOf(names, COLUMNS), turn: names.indexOf('turn') };
  return lines.slice(first + 1).flatMap((line, index) => {
    if (line === '' || line.startsWith('#')) return [];
    const cells = line.split(',');
    const read = (place: number) => {
      const cell = cells[place] ?? '';
      if (/^\d+$/.test(cell)) return Number(cell);
      throw badTrace(label, `line ${first + 2 + index} has "${cell}", a whole number is wanted`);
    };
    return {
      turn: places.turn < 0 ? 0 : read(places.turn),
      phase: read(places.phase),
      step: read(places.step),
      layer: read(places.layer),
      slot: read(places.slot),
      expert: read(places.expert),
    };
  });
}

function placesOf<T extends string>(names: readonly string[], wanted: readonly T[]): Record<T, number> {
  return Object.fromEntries(wanted.map((name) => [name, names.indexOf(name)])) as Record<T, number>;
}

/** A prompt is recorded layer by layer, replies step by step: rows of one step need not follow each other. */
function readSteps(rows: readonly Row[], label: string): Step[] {
  const steps = new Map<string, Step>();
  let hasDecoded = false;
  for (const { turn, phase, step, layer, slot, expert } of rows) {
    if (phase === PREFILL && hasDecoded) {
      throw badTrace(label, `turn ${turn} has a prompt after a decode step, one turn is wanted`);
    }
    hasDecoded ||= phase === DECODE;
    const { units } = getOrAdd(steps, `${turn}/${phase}/${step}`, () => ({ phase, units: new Map() }));
    const list = getOrAdd(units, layer, () => []);
    if (list.length !== slot) {
      throw badTrace(label, `step ${step}, layer ${layer} has slot ${slot}, ${list.length} is wanted`);
    }
    list.push(expert);
  }
  return [...steps.values()];
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
