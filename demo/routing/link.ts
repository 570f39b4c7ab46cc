/** A comparison as the end of an address, and back: `#text=...&a=own&b=top-p&layer=2&mute=2.5`. */
import { DESCRIBED, MODEL, ruleOf, type Edit, type Steering } from './rules.ts';

/** What a comparison is made of. */
export interface Comparison {
  readonly text: string;
  readonly a: string; // ids of rules
  readonly b: string;
  readonly textA: string; // of descriptions of the visitor's own: JSON, right or not
  readonly textB: string;
  readonly layer: number;
  readonly token: number | undefined; // undefined: the last one of the text
  readonly edits: readonly Edit[]; // of the second rule
  readonly steering: Steering;
  readonly scores: boolean; // of all experts are shown
  readonly length: number; // tokens of the continuations
  readonly temperature: number;
  readonly seed: number;
}

export const DEFAULTS: Comparison = {
  text: 'Once upon a time, there was a little fox who',
  a: 'own',
  b: 'top-p',
  textA: '',
  textB: '',
  layer: 2,
  token: undefined,
  edits: [],
  steering: 'hard',
  scores: false,
  length: 24,
  temperature: 0,
  seed: 1,
};

/** Bounds of the numbers: more than this page can show is of no use. */
export const LIMITS = {
  textLetters: 400,
  described: 4000,
  length: 64,
  temperature: 2,
  seed: 4_294_967_295,
  strength: 4,
} as const;

/** Without what is as it is anyway: a link says what is special. */
export function formatLink(comparison: Comparison): string {
  const { text, a, b, layer, token, edits, steering, scores, length, temperature, seed } = comparison;
  const params = new URLSearchParams({ text, a, b, layer: String(layer) });
  if (token !== undefined) params.set('token', String(token));
  if (a === DESCRIBED) params.set('describedA', compact(comparison.textA));
  if (b === DESCRIBED) params.set('describedB', compact(comparison.textB));
  for (const kind of ['mute', 'steer'] as const) {
    const named = edits.filter((edit) => edit.kind === kind).map((edit) => `${edit.layer}.${edit.expert}`);
    if (named.length > 0) params.set(kind, named.join(','));
  }
  if (steering !== 'hard') params.set('steering', String(steering));
  if (scores) params.set('scores', '1');
  params.set('length', String(length));
  if (temperature !== 0) params.set('temperature', String(temperature));
  params.set('seed', String(seed));
  return `#${params}`;
}

/** JSON without its spaces; what is not JSON stays as it is typed. */
function compact(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

/** The lines of a description that a link has in one. */
function spread(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Links come from anywhere: what is not understood has its default. */
export function parseLink(hash: string): Comparison {
  const params = new URLSearchParams(hash.replace(/^#/, ''));
  const described = (name: 'describedA' | 'describedB') =>
    (params.get(name) ?? '').slice(0, LIMITS.described);
  const rule = (name: 'a' | 'b', text: string) => {
    const id = params.get(name) ?? '';
    return id === DESCRIBED && text !== '' ? id : (ruleOf(id)?.id ?? DEFAULTS[name]);
  };
  const [textA, textB] = [described('describedA'), described('describedB')];
  const whole = (name: string, least: number, most: number): number | undefined => {
    const text = params.get(name) ?? '';
    return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most
      ? Number(text)
      : undefined;
  };
  const temperature = Number(params.get('temperature') ?? 0);
  return {
    text: (params.get('text') ?? DEFAULTS.text).slice(0, LIMITS.textLetters),
    a: rule('a', textA),
    b: rule('b', textB),
    textA: spread(textA),
    textB: spread(textB),
    layer: whole('layer', 0, MODEL.layers - 1) ?? DEFAULTS.layer,
    token: whole('token', 0, LIMITS.textLetters + LIMITS.length),
    edits: ['mute', 'steer', 'force'].flatMap((name) =>
      // links of before say force
      readEdits(params.get(name), name === 'mute' ? 'mute' : 'steer'),
    ),
    steering: readSteering(params.get('steering')),
    scores: params.get('scores') === '1',
    length: whole('length', 1, LIMITS.length) ?? DEFAULTS.length,
    temperature: temperature >= 0 && temperature <= LIMITS.temperature ? temperature : DEFAULTS.temperature,
    seed: whole('seed', 0, LIMITS.seed) ?? DEFAULTS.seed,
  };
}

function readSteering(text: string | null): Steering {
  if (text === 'off') return text;
  const strength = Number(text ?? NaN);
  return Math.abs(strength) <= LIMITS.strength && text !== '' ? strength : 'hard';
}

function readEdits(text: string | null, kind: Edit['kind']): Edit[] {
  const names = new Set((text ?? '').split(','));
  return [...names].flatMap((name) => {
    const [, layer, expert] = /^(\d{1,2})\.(\d{1,2})$/.exec(name) ?? [];
    const edit = { layer: Number(layer), expert: Number(expert), kind };
    return edit.layer < MODEL.layers && edit.expert < MODEL.experts ? [edit] : [];
  });
}
