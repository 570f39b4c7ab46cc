/** The WGSL of a routing rule: the files of its stages, and the wiring that calls them in the rule's order. */
import { invariant } from '../../errors.ts';
import type { Access, Part } from '../../gpu/program.ts';
import { constants, gridPart, reducePart } from '../common.ts';
import { declareBindings } from './declare-bindings.ts';
import { MAX_GROUPS } from './route-rule.ts';
import type { ChoiceStages, RouteStages } from './route-stages.ts';
import softplus from '../../../shaders/lib/softplus.wgsl?raw';
import selectMax from '../../../shaders/lib/select-max.wgsl?raw';
import selectTwoBest from '../../../shaders/lib/select-two-best.wgsl?raw';

const files: Readonly<Record<string, string>> = import.meta.glob('../../../shaders/lib/route-*.wgsl', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** `lane`: one lane per token, for software adapters, where barriers are slow; `group`: `wg` lanes per token. */
export interface RouteForm {
  readonly form: 'lane' | 'group';
  readonly wg: number;
  readonly capacity: number; // maximum number of scores
}

/** The forms of the kernels. Private memory of a lane is limited to 8 KiB. */
export const ROUTE_FORMS = [
  { form: 'lane', wg: 4, capacity: 256 },
  { form: 'group', wg: 32, capacity: 128 },
  { form: 'group', wg: 128, capacity: 1024 },
] as const satisfies readonly RouteForm[];

/** A call of a stage, `name(v2,n0)`. */
interface Call {
  readonly name: string;
  readonly args: readonly string[]; // as WGSL
}

function callsOf(text: string): Call[] {
  const found = text.matchAll(/([a-z-]+)(?:\(([^)]*)\))?/g);
  return [...found].map(([, name = '', args]) => ({ name, args: args ? args.split(',').map(argument) : [] }));
}

function argument(text: string): string {
  return text.startsWith('v') ? `${text.slice(1)}u` : `params.number_${text.slice(1)}`;
}

const snake = (name: string) => name.replaceAll('-', '_');

/** A file of `shaders/lib`, `route-NAME.wgsl`. */
function lib(name: string): Part {
  const file = `route-${name}.wgsl`;
  const text = files[`../../../shaders/lib/${file}`];
  invariant(text !== undefined, () => `no shaders/lib/${file}`);
  return { name: `lib/${file}`, text };
}

/** Files that others use: they come before them, once. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  'step-softmax': ['softmax'],
  'step-log-softmax': ['softmax'],
  'step-steer-hard': ['softmax'],
  'step-standardise': ['deviation'],
  'step-steer-soft': ['deviation'],
  'times-largest': ['largest'],
  'write-largest': ['largest'],
  'entropy-tsallis': ['entropy-powers'],
  'entropy-renyi': ['entropy-powers'],
};

function libs(names: readonly string[]): Part[] {
  return [...new Set(names.flatMap((name) => [...(NEEDS[name] ?? []), name]))].map(lib);
}

/** The storage bindings that stages add, in order. */
const INPUTS: readonly (readonly [
  name: string,
  type: 'f32' | 'u32',
  isUsed: (stages: AnyStages) => boolean,
])[] = [
  ['vectors', 'f32', ({ vectors }) => vectors !== ''],
  ['request_vectors', 'f32', ({ vectors }) => vectors !== '' && vectors !== 'layer'],
  ['token_mask', 'f32', ({ steps }) => steps.includes('mask-token')],
  ['given_logits', 'f32', ({ logits }) => logits === 'given'],
  ['group_scores', 'f32', ({ groups }) => groups === 'score'],
  ['given_ids', 'u32', ({ order }) => order === 'given'],
  ['importance', 'f32', ({ limit }) => limit === 'importance'],
  ['kinds', 'u32', ({ kinds = '' }) => kinds.endsWith('.token')],
  ['protection', 'u32', ({ drops = '' }) => drops.includes('protected-')],
  ['verdicts', 'f32', ({ drops = '' }) => drops.includes('verdict')],
  ['raw_weights', 'f32', ({ raw }) => raw === 'expert' || raw === 'place'],
];

type AnyStages = RouteStages & Partial<ChoiceStages>;

const OUTPUTS = ['affinities', 'largest', 'logits', 'values'];

/** The bindings of a program, in order. */
export function routeBindings(stages: AnyStages): Record<string, Access> {
  const inputs = INPUTS.filter(([, , isUsed]) => isUsed(stages)).map(([name]) => name);
  const routes = stages.order === undefined ? [] : ['ids', 'weights'];
  const outputs = OUTPUTS.filter((name) => writesOf(stages).includes(`write-${name}`));
  return Object.fromEntries([
    ...['scores', ...inputs].map((name) => [name, 'read'] as const),
    ...[...routes, ...outputs].map((name) => [name, 'write'] as const),
  ]);
}

function writesOf({ steps, writes }: RouteStages): string[] {
  const atLogits = steps.includes('write-logits') ? ['write-logits'] : [];
  return [
    ...atLogits,
    ...writes
      .split(' ')
      .filter(Boolean)
      .map((name) => `write-${name}`),
  ];
}

/** Declarations of the bindings; scores and outputs are bound as bits, because they may be NaN. */
function bindingsPart(stages: AnyStages): Part {
  const types = Object.fromEntries(INPUTS.map(([name, type]) => [name, type]));
  return declareBindings(routeBindings(stages), (name) => types[name] ?? 'u32');
}

/** The parts that every program of rows has: the row's memory, the steps and what they need. */
export function rowParts(stages: AnyStages, { form, wg, capacity }: RouteForm): Part[] {
  const steps = callsOf(stages.steps);
  const isMarked = ({ name }: Call) => name === 'keep-logits' || name === 'write-logits';
  const own = steps.filter((step) => !isMarked(step)).map(({ name }) => `step-${name}`);
  const vectors =
    stages.vectors === '' ? [] : [stages.vectors === 'layer' ? 'vectors-layer' : 'vectors-request'];
  const logits = stages.logits === 'stored' ? [`logits-${form}`, 'logits-stored'] : [];
  const others = stages.logits === '' || logits.length > 0 ? [] : [`logits-${stages.logits}`];
  return [
    constants({ WG: wg, CAPACITY: capacity, ...layerRows(stages) }),
    gridPart,
    lib('shared'),
    bindingsPart(stages),
    ...(form === 'group' ? [reducePart(false)] : []),
    ...libs([`rows-${form}`, ...vectors, ...logits, ...others]),
    ...(own.includes('step-sqrt-softplus') ? [{ name: 'lib/softplus.wgsl', text: softplus }] : []),
    ...libs([...own, ...writesOf(stages)]),
    { name: 'wiring', text: [transformText(steps), rowsText(stages)].join('\n') },
  ];
}

function layerRows({ vectors }: RouteStages): Record<string, number> {
  return vectors === '' || vectors === 'layer' ? {} : { LAYER_VECTORS: Number(vectors) };
}

/** `fn transform`, which calls the steps in order. */
function transformText(steps: readonly Call[]): string {
  const calls = steps.map(({ name, args }) => {
    if (name === 'keep-logits') return '  keep_logits(lane);';
    if (name === 'write-logits') return '  write_logits(token, lane);';
    const given = name === 'mask-token' ? ['token', 'lane'] : ['lane', ...args];
    return `  step_${snake(name)}(${given.join(', ')});`;
  });
  return ['fn transform(token: u32, lane: u32) {', ...calls, '}'].join('\n');
}

/** `fn write_rows`, which writes the outputs besides routes. */
function rowsText({ writes }: RouteStages): string {
  const calls = writes
    .split(' ')
    .filter(Boolean)
    .map((name) => `  write_${name}(token, lane);`);
  return ['fn write_rows(token: u32, lane: u32) {', ...calls, '}'].join('\n');
}

/** The parts of choice and weights. */
export function choiceParts(stages: ChoiceStages, { form, wg, capacity }: RouteForm): Part[] {
  const { by, groups, order, limit, cut, raw, normalise, times } = stages;
  const [rule = '', entropy] = cut.split('.');
  const isByP = rule === 'crossing' || rule === 'within';
  const key = order === 'positive' ? 'value' : order;
  const isSorted = key !== 'groups' && key !== 'given';
  const drops = callsOf(stages.drops);
  return [
    constants({
      LANE_CAPACITY: Math.ceil(capacity / wg),
      ...(groups === '' ? {} : { GROUP_CAPACITY: Math.min(MAX_GROUPS, capacity) }),
      ...(rule === 'ranks' ? ranksOf(cut) : {}),
      ...(stages.kinds === '' ? {} : { THRESHOLDS_VECTOR: rowOf(stages.kinds) }),
    }),
    ...libs([`by-${by}`, `order-${key}`]),
    ...(isSorted
      ? libs([`limit-${limit}`, ...(form === 'group' ? [`rank-${key}`] : []), `sort-${form}`])
      : []),
    ...(isByP ? libs([...(entropy ? [`entropy-${entropy}`] : []), `cut-${rule}`]) : []),
    ...libs([isByP ? (entropy ? 'cut-entropy' : 'cut-top-p') : `cut-${rule}`]),
    ...groupParts(groups, form),
    ...dropParts(stages, drops),
    ...libs([`raw-${raw}`, `normalise-${normalise}`, `times-${times}`]),
    { name: 'wiring', text: choiceText(stages, drops) },
  ];
}

function ranksOf(cut: string): Record<string, number> {
  const [, count, vector = ''] = cut.split('.');
  return { RANKS: Number(count), RANKS_VECTOR: rowOf(vector) };
}

/** The row of `v2`, or of `v2.token`. */
function rowOf(vector: string): number {
  return Number.parseInt(vector.slice(1), 10);
}

function groupParts(groups: ChoiceStages['groups'], form: RouteForm['form']): Part[] {
  if (groups === '') return [];
  const memory = `groups-${form}`;
  if (groups === 'score') return libs([memory, 'groups-score', 'groups-keep']);
  const worth =
    groups === 'max'
      ? { name: 'lib/select-max.wgsl', text: selectMax }
      : { name: 'lib/select-two-best.wgsl', text: selectTwoBest };
  return [...libs([memory]), worth, ...libs(['groups-worth', 'groups-keep'])];
}

function dropParts({ kinds }: ChoiceStages, drops: readonly Call[]): Part[] {
  const names = new Set(drops.map(({ name }) => name));
  return libs([
    ...(kinds === '' ? [] : [kinds.endsWith('.token') ? 'kind-token' : 'kind-one']),
    ...(names.has('protected-below-ratio') ? ['protect-token'] : []),
    ...(names.has('below-ratio') ? ['protect-none'] : []),
    ...[...names].map((name) => `drop-${name.replace('protected-', '')}`),
  ]);
}

/** The constants and one-line functions that bind the stages to the rule's vectors. */
function choiceText({ bias, expertScale, order, over }: ChoiceStages, drops: readonly Call[]): string {
  const at = (vector: string, other: string) => (vector === '' ? other : `vector_at(${rowOf(vector)}u, e)`);
  const calls = drops.map(({ name, args }) => {
    const given = ['token', 'count', ...args].join(', ');
    return `  count = drop_${snake(name.replace('protected-', ''))}(${given});`;
  });
  return [
    `const POSITIVE_ONLY = ${order === 'positive'};`,
    `const OVER_CHOSEN = ${over === 'chosen'};`,
    `fn selection_bias(e: u32) -> f32 {\n  return ${at(bias, '0.0')};\n}`,
    `fn scale_of(e: u32) -> f32 {\n  return ${at(expertScale, '1.0')};\n}`,
    'fn drop_entries(token: u32, chosen: u32) -> u32 {',
    ...(calls.length > 0 ? ['  var count = chosen;', ...calls, '  return count;'] : ['  return chosen;']),
    '}',
  ].join('\n');
}
