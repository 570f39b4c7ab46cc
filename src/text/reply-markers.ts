/**
 * What models write around their thoughts and their answers. This file is the one place that knows these markers, `tool-calls/` knows those of
 * calls of tools; a model's own are found in its chat template and its vocabulary.
 */
import type { CallMarkers } from './tool-calls/format.ts';

export type { CallMarkers, ForcedCall, ToolCall } from './tool-calls/format.ts';

/** The markers of one model's replies. */
export interface ReplyMarkers {
  readonly open: readonly string[]; // begin thoughts
  readonly close: readonly string[]; // end thoughts
  readonly frame: readonly string[]; // around parts of a reply; end thoughts, too
  /** Control tokens mean the same everywhere. Words such as `<think>` mean it at the beginning of a reply only: answers quote them. */
  readonly isControl: boolean;
  readonly wraps: readonly (readonly [begin: string, end: string])[]; // around the answer, right behind thoughts
  readonly calls: CallMarkers | undefined;
}

/** All of a reply is its answer. */
const NO_MARKERS: ReplyMarkers = {
  open: [],
  close: [],
  frame: [],
  isControl: false,
  wraps: [],
  calls: undefined,
};

type Thoughts = Pick<ReplyMarkers, 'open' | 'close' | 'frame' | 'isControl'> & {
  readonly signs: readonly string[]; // one in the template, or all in the vocabulary: the model has these markers
};

const words = (open: string, close: string): Thoughts => {
  return { open: [open], close: [close], frame: [], isControl: false, signs: [open, close] };
};

const control = (open: string, close: string, ...frame: string[]): Thoughts => {
  return { open: [open], close: [close], frame, isControl: true, signs: [open] };
};

/** The first row that fits a model is its own. */
const THOUGHTS: readonly Thoughts[] = [
  // gpt-oss: channels of harmony.
  control(
    '<|channel|>analysis<|message|>',
    '<|end|>',
    '<|start|>assistant',
    '<|channel|>final<|message|>',
    '<|channel|>commentary<|message|>',
    '<|return|>',
  ),
  // Solar Open.
  {
    ...control('<|think|>', '<|end|>', '<|begin|>assistant', '<|content|>'),
    signs: ['<|begin|>assistant<|think|>'],
  },
  // Gemma 4, whose `<|think|>` only asks for thoughts.
  control('<|channel>thought', '<channel|>'),
  // Mistral.
  control('[THINK]', '[/THINK]'),
  // Cohere.
  control('<|START_THINKING|>', '<|END_THINKING|>', '<|START_RESPONSE|>', '<|END_RESPONSE|>'),
  // Hunyuan 3, MiniMax-M3, Seed, LongCat.
  words('<think:opensource>', '</think:opensource>'),
  words('<mm:think>', '</mm:think>'),
  words('<seed:think>', '</seed:think>'),
  words('<longcat_think>', '</longcat_think>'),
  // Qwen3, DeepSeek, GLM, MiniMax, Nemotron, Hunyuan, Kimi, LFM2.5, Granite and most others.
  words('<think>', '</think>'),
];

/** Hunyuan; ERNIE and Granite. */
const WRAPS = [
  ['<answer>', '</answer>'],
  ['<response>', '</response>'],
] as const;

/**
 * The markers of a model's replies.
 *
 * @param template - the source of its chat template
 * @param hasToken - whether its vocabulary has a token
 * @param calls - how it writes calls of tools (`callMarkersOf`), where it was told of any: without them it calls none
 */
export function markersOf(
  template: string,
  hasToken: (token: string) => boolean,
  calls?: CallMarkers,
): ReplyMarkers {
  const found = THOUGHTS.find(
    ({ signs }) => signs.some((sign) => template.includes(sign)) || signs.every(hasToken),
  );
  const { open, close, frame, isControl } = found ?? NO_MARKERS;
  const wraps = found ? WRAPS.filter(([begin]) => template.includes(begin)) : [];
  return { open, close, frame, isControl, wraps, calls };
}
