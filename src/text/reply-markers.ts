/**
 * What models write around their thoughts, their answers and their calls of tools. This file is the one place that knows
 * markers; a model's own are found in its chat template and its vocabulary.
 */

/** A call of a tool, as a reply has it. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: string; // JSON of an object
}

/** How a model writes calls of tools. */
export interface CallMarkers {
  readonly open: readonly string[];
  readonly close: string;
  /** @returns undefined where the text, markers included, is no call */
  read(text: string): ToolCall | undefined;
  /** What is around the arguments, as JSON, of a call that a reply has to make; absent where calls are no JSON. */
  readonly forced?: { begin(name: string): string; readonly end: string };
}

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

/** Hermes, Qwen and many others: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`. */
const HERMES: CallMarkers = {
  open: ['<tool_call>'],
  close: '</tool_call>',
  read(text) {
    const [, json = ''] = /^<tool_call>(.*?)(?:<\/tool_call>)?$/s.exec(text) ?? [];
    const call = parseObject(json);
    const given = call?.['arguments'] ?? {};
    return typeof call?.['name'] === 'string' ? callOf(call['name'], given) : undefined;
  },
  forced: {
    begin: (name) => `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `,
    end: '}\n</tool_call>',
  },
};

/** Harmony: `<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{...}<|call|>`. */
const HARMONY: CallMarkers = {
  open: [
    '<|channel|>commentary to=functions.',
    '<|channel|>analysis to=functions.',
    '<|start|>assistant to=functions.',
  ],
  close: '<|call|>',
  read(text) {
    const [, name, json = ''] =
      / to=functions\.([^\s<]+).*?<\|message\|>(.*?)(?:<\|call\|>)?$/s.exec(text) ?? [];
    return name === undefined ? undefined : callOf(name, json);
  },
};

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
  readonly calls?: CallMarkers; // where the model has its own way to write them
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
  {
    ...control(
      '<|channel|>analysis<|message|>',
      '<|end|>',
      '<|start|>assistant',
      '<|channel|>final<|message|>',
      '<|channel|>commentary<|message|>',
      '<|return|>',
    ),
    calls: HARMONY,
  },
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
 * @param hasTools - whether the model was told of tools: without them it calls none
 */
export function markersOf(
  template: string,
  hasToken: (token: string) => boolean,
  hasTools: boolean,
): ReplyMarkers {
  const found = THOUGHTS.find(
    ({ signs }) => signs.some((sign) => template.includes(sign)) || signs.every(hasToken),
  );
  const calls = found?.calls ?? (template.includes('<tool_call>') ? HERMES : undefined);
  const { open, close, frame, isControl } = found ?? NO_MARKERS;
  const wraps = found ? WRAPS.filter(([begin]) => template.includes(begin)) : [];
  return { open, close, frame, isControl, wraps, calls: hasTools ? calls : undefined };
}

/** @param given - an object, or its JSON */
function callOf(name: string, given: unknown): ToolCall | undefined {
  const json = typeof given === 'string' ? given.trim() : JSON.stringify(given);
  return parseObject(json) ? { name, arguments: json } : undefined;
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
