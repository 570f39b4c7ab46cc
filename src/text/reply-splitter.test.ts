import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { markersOf } from './reply-markers.ts';
import { ReplySplitter, type ReplyPiece } from './reply-splitter.ts';
import { callMarkersOf } from './tool-calls/index.ts';

const published = (name: string) => readFileSync(`fixtures/templates/${name}.jinja`, 'utf8');
const QWEN3 = published('Qwen-Qwen3-0.6B');
const GPT_OSS = published('openai-gpt-oss-120b');
const GRANITE = published('ibm-granite-granite-3.3-2B-Instruct');
const HUNYUAN = "{% if '<answer>' in content %}{{ content.split('</think>')[-1] }}{% endif %}";
const CALL = '<tool_call>\n{"name": "rain", "arguments": {"at": "Ulm", "days": [1]}}\n</tool_call>';
const HARMONY_CALL = '<|channel|>commentary to=functions.rain <|constrain|>json<|message|>{"at":"Ulm"}';

interface Case {
  readonly template: string;
  readonly prompt?: string; // its end
  readonly reply: string;
  readonly thoughts?: string;
  readonly answer: string;
  readonly calls?: readonly object[];
}

/** What each model writes, and what it means. */
const CASES: Readonly<Record<string, Case>> = {
  Qwen3: {
    template: QWEN3,
    reply: '<think>\nA fox? Yes.\n\nSo.\n</think>\n\nA fox.\n',
    thoughts: 'A fox? Yes.\n\nSo.',
    answer: 'A fox.\n',
  },
  'white space before the thoughts': {
    template: QWEN3,
    reply: '\n <think>Hm</think> Yes',
    thoughts: 'Hm',
    answer: 'Yes',
  },
  'thoughts that the template began': {
    template: QWEN3,
    prompt: '<|im_start|>assistant\n<think>\n',
    reply: '\nHm < 3\n</think>\nYes',
    thoughts: 'Hm < 3',
    answer: 'Yes',
  },
  'thoughts that the template began, and the model again': {
    template: QWEN3,
    prompt: '<|im_start|>assistant\n<think>',
    reply: '\n<think>\nHm</think>\nYes',
    thoughts: 'Hm',
    answer: 'Yes',
  },
  'thoughts that the template ended': {
    template: QWEN3,
    prompt: '<|im_start|>assistant\n<think>\n\n</think>\n\n',
    reply: '\nYes, <think> and </think> are tags.',
    answer: 'Yes, <think> and </think> are tags.',
  },
  'empty thoughts': { template: QWEN3, reply: '<think>\n\n</think>\n\nYes', answer: 'Yes' },
  'no thoughts': { template: QWEN3, reply: ' Yes, no <b>tags</b>.\n', answer: ' Yes, no <b>tags</b>.\n' },
  'an answer about tags': {
    template: QWEN3,
    reply: '<think>a</think>Write <think>b</think>.',
    thoughts: 'a',
    answer: 'Write <think>b</think>.',
  },
  'an answer that begins with words': {
    template: QWEN3,
    reply: 'Hi <think>b</think>',
    answer: 'Hi <think>b</think>',
  },
  'a begin marker in the thoughts': {
    template: QWEN3,
    reply: '<think>a <think> b</think>c',
    thoughts: 'a <think> b',
    answer: 'c',
  },
  'a stop inside thoughts': { template: QWEN3, reply: '<think>\nHm, \n', thoughts: 'Hm, \n', answer: '' },
  'a stop inside an end marker': {
    template: QWEN3,
    reply: '<think>Hm</thi',
    thoughts: 'Hm</thi',
    answer: '',
  },
  'a stop inside a begin marker': { template: QWEN3, reply: ' <thi', answer: ' <thi' },
  'white space only': { template: QWEN3, reply: ' \n', answer: ' \n' },
  surrogates: { template: QWEN3, reply: '<think>🦊</think>🦊🦊', thoughts: '🦊', answer: '🦊🦊' },
  Granite: { template: GRANITE, reply: '<think>a</think><response>b</response>', thoughts: 'a', answer: 'b' },
  Hunyuan: {
    template: HUNYUAN,
    reply: '<think>\na\n</think>\n<answer>\nb <answer> c \n</answer>',
    thoughts: 'a',
    answer: 'b <answer> c',
  },
  'Hunyuan without thoughts': {
    template: HUNYUAN,
    prompt: '<think>\n\n</think>\n',
    reply: '<answer>\nb\n</answer>',
    answer: 'b',
  },
  'gpt-oss': {
    template: GPT_OSS,
    prompt: '<|end|><|start|>assistant',
    reply:
      '<|channel|>analysis<|message|>A fox? <end>\n<|end|><|start|>assistant<|channel|>final<|message|>A **fox**.<|return|>',
    thoughts: 'A fox? <end>',
    answer: 'A **fox**.',
  },
  'gpt-oss, twice in thought': {
    template: GPT_OSS,
    prompt: '<|start|>assistant',
    reply:
      '<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>b<|end|>' +
      '<|start|>assistant<|channel|>analysis<|message|>c<|end|><|start|>assistant<|channel|>final<|message|>d',
    thoughts: 'ac',
    answer: 'bd',
  },
  'gpt-oss, thoughts without an end': {
    template: GPT_OSS,
    prompt: '<|start|>assistant',
    reply: '<|channel|>analysis<|message|>a<|channel|>final<|message|>b',
    thoughts: 'a',
    answer: 'b',
  },
  'gpt-oss, cut in a header': {
    template: GPT_OSS,
    prompt: '<|start|>assistant',
    reply: '<|channel|>analysis',
    answer: '<|channel|>analysis',
  },
  'gpt-oss, a call': {
    template: GPT_OSS,
    prompt: '<|start|>assistant',
    reply: `<|channel|>analysis<|message|>a<|end|><|start|>assistant${HARMONY_CALL}<|call|>`,
    thoughts: 'a',
    answer: '',
    calls: [{ name: 'rain', arguments: '{"at":"Ulm"}' }],
  },
  'gpt-oss, a call whose end token ended the reply, named in the role': {
    template: GPT_OSS,
    prompt: '<|start|>assistant',
    reply: ' to=functions.rain<|channel|>commentary json<|message|>{"at": "Ulm"}',
    answer: '',
    calls: [{ name: 'rain', arguments: '{"at": "Ulm"}' }],
  },
  Solar: {
    template: "{{ '<|begin|>assistant<|think|>' }}",
    prompt: '<|begin|>assistant',
    reply: '<|think|>a<|end|><|begin|>assistant<|content|>b',
    thoughts: 'a',
    answer: 'b',
  },
  Gemma: {
    template: "{{ '<|channel>thought\\n<channel|>' }}{{ '<|think|>' }}",
    reply: '<|channel>thought\na\n<channel|>b',
    thoughts: 'a',
    answer: 'b',
  },
  Mistral: {
    template: '[THINK]',
    reply: 'b[THINK]a[/THINK]c',
    thoughts: 'a',
    answer: 'bc',
  },
  Cohere: {
    template: '<|START_THINKING|>',
    reply: '<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>',
    thoughts: 'a',
    answer: 'b',
  },
  'Hunyuan 3': {
    template: '</think:opensource>',
    prompt: '<think:opensource>',
    reply: 'a</think>b</think:opensource>c',
    thoughts: 'a</think>b',
    answer: 'c',
  },
  calls: {
    template: QWEN3,
    reply: `<think>a</think>\n\nLook:\n${CALL}\n${CALL.replaceAll('rain', 'sun')}`,
    thoughts: 'a',
    answer: 'Look:\n',
    calls: [
      { name: 'rain', arguments: '{"at":"Ulm","days":[1]}' },
      { name: 'sun', arguments: '{"at":"Ulm","days":[1]}' },
    ],
  },
  'a call without arguments': {
    template: QWEN3,
    reply: '<tool_call>{"name":"now"}</tool_call>',
    answer: '',
    calls: [{ name: 'now', arguments: '{}' }],
  },
  'a call in the thoughts': {
    template: QWEN3,
    reply: `<think>${CALL}</think>b`,
    thoughts: CALL,
    answer: 'b',
  },
  'calls that are none': {
    template: QWEN3,
    reply: 'a <tool_call>rain\n<arg_key>at</arg_key>\n</tool_call> b <tool_call>{"name": "rain", "argu',
    answer: 'a <tool_call>rain\n<arg_key>at</arg_key>\n</tool_call> b <tool_call>{"name": "rain", "argu',
  },
  'no markers at all': {
    template: '{{ messages }}',
    reply: ' <think>a</think>',
    answer: ' <think>a</think>',
  },
};

const NO_TOKENS = () => false;

const toolMarkers = (template: string) =>
  markersOf(template, NO_TOKENS, callMarkersOf(template, NO_TOKENS, []));

const splitter = ({ template, prompt }: Case) => new ReplySplitter(toolMarkers(template), prompt);

/** One entry for neighbours of one kind. */
function joined(pieces: readonly ReplyPiece[]): [kind: string, text: string][] {
  const all: [string, string][] = [];
  for (const { kind, text } of pieces) {
    const last = all.at(-1);
    if (last?.[0] === kind && kind !== 'call') last[1] += text;
    else if (text !== '') all.push([kind, text]);
  }
  return all;
}

function split(given: Case, deltas: readonly string[]): ReplyPiece[] {
  const each = splitter(given);
  return [...deltas.flatMap((delta) => each.push(delta)), ...each.flush()];
}

describe.each(Object.entries(CASES))('%s', (_name, given) => {
  const { reply, answer, thoughts = '', calls = [] } = given;

  test('is divided', () => {
    const pieces = split(given, [reply]);
    const of = (wanted: string) => pieces.map(({ kind, text }) => (kind === wanted ? text : '')).join('');
    expect(of('thoughts')).toBe(thoughts);
    expect(of('answer')).toBe(answer);
    expect(pieces.flatMap((piece) => (piece.kind === 'call' ? piece.calls : []))).toEqual(calls);
  });

  test('in the same way wherever it is cut, and no letter is lost', () => {
    const whole = joined(split(given, [reply]));
    // The end of the prompt that waits to become a marker comes out as one, before the reply.
    const text = (pieces: readonly (readonly [string, string])[]) => pieces.map(([, part]) => part).join('');
    expect(text(whole).endsWith(reply)).toBe(true);
    expect(text(whole).length - reply.length).toBeLessThanOrEqual('<|start|>assistant'.length);
    expect(joined(split(given, Array.from(reply)))).toEqual(whole);
    const cuts = Array.from({ length: reply.length + 1 }, (_, first) => {
      return Array.from({ length: reply.length + 1 - first }, (_, more) => {
        return [reply.slice(0, first), reply.slice(first, first + more), reply.slice(first + more)];
      });
    }).flat();
    const wanted = JSON.stringify(whole);
    expect(cuts.filter((deltas) => JSON.stringify(joined(split(given, deltas))) !== wanted)).toEqual([]);
  });
});

test.each([
  ['tags', QWEN3],
  ['wrapped answers', HUNYUAN],
  ['channels', GPT_OSS],
  ['control tokens', '<|START_THINKING|>'],
])('whatever a model writes in %s, no letter is lost and no cut shows', (_name, template) => {
  const { open, close, frame, wraps, calls } = toolMarkers(template);
  const markers = [
    ...open,
    ...close,
    ...frame,
    ...wraps.flat(),
    ...(calls ? [...calls.open, calls.close] : []),
  ];
  let state = 5;
  const below = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 10) % n;
  };
  const part = () => {
    const marker = markers[below(markers.length)] ?? '';
    const words = [
      marker,
      marker.slice(0, 1 + below(marker.length)),
      ' ',
      '\n',
      'a',
      ' b ',
      '<',
      '{"name":"c"}',
      'c<|message|>{}',
    ];
    return words[below(words.length)] ?? '';
  };
  const kinds = new Set<string>();
  for (let round = 0; round < 2000; round++) {
    const given = { template, reply: Array.from({ length: 1 + below(9) }, part).join(''), answer: '' };
    const whole = joined(split(given, [given.reply]));
    for (const [kind] of whole) kinds.add(kind);
    expect(whole.map(([, text]) => text).join('')).toBe(given.reply);
    expect(joined(split(given, Array.from(given.reply))), given.reply).toEqual(whole);
  }
  expect([...kinds].sort()).toEqual(
    calls ? ['answer', 'call', 'marker', 'thoughts'] : ['answer', 'marker', 'thoughts'],
  );
});

test('what comes is given at once, but for what may be a marker', () => {
  const each = splitter({ template: QWEN3, reply: '', answer: '' });
  const given: [delta: string, ...pieces: [kind: string, text: string][]][] = [
    ['<th'],
    ['ink>', ['marker', '<think>']],
    ['\n', ['marker', '\n']],
    ['A fox', ['thoughts', 'A fox']],
    [' \n'],
    ['and </', ['thoughts', ' \nand']],
    ['b>', ['thoughts', ' </b>']],
    ['</think'],
    ['>\n', ['marker', '</think>\n']],
    ['Yes. ', ['answer', 'Yes. ']],
    ['<b>', ['answer', '<b>']],
    ['<'],
  ];
  for (const [delta, ...pieces] of given) expect(joined(each.push(delta)), delta).toEqual(pieces);
  expect(joined(each.flush())).toEqual([['answer', '<']]);
});

test('special tokens are markers, or are not shown', () => {
  const each = splitter({ template: GPT_OSS, prompt: '<|start|>assistant', reply: '', answer: '' });
  const pieces = [
    ...each.push('', '<|channel|>'),
    ...each.push('analysis'),
    ...each.push('', '<|message|>'),
    ...each.push('a'),
    ...each.push('', '<|odd|>'),
    ...each.push('b'),
    ...each.push('', '<|end|>'),
    ...each.flush(),
  ];
  expect(pieces.filter(({ kind }) => kind !== 'marker')).toEqual([
    { kind: 'thoughts', text: 'a', isHidden: false },
    { kind: 'thoughts', text: '<|odd|>', isHidden: true },
    { kind: 'thoughts', text: 'b', isHidden: false },
  ]);
});

describe('the markers of a model', () => {
  test('are found in its template, or else in its vocabulary', () => {
    const tokens = new Set(['<think>', '</think>']);
    const marks = (template: string, has: (token: string) => boolean) => markersOf(template, has).open;
    expect(marks(QWEN3, NO_TOKENS)).toEqual(['<think>']);
    expect(marks(GPT_OSS, (token) => tokens.has(token))).toEqual(['<|channel|>analysis<|message|>']);
    expect(marks('{{ messages }}', (token) => tokens.has(token))).toEqual(['<think>']);
    expect(marks('{{ messages }}', (token) => token === '<think>')).toEqual([]);
    for (const name of ['LFM2-8B-A1B', 'microsoft-Phi-3.5-mini-instruct']) {
      expect(marks(published(name), NO_TOKENS)).toEqual([]);
    }
  });

  test('of calls are active only where the model was told of tools', () => {
    expect(markersOf(QWEN3, NO_TOKENS).calls).toBeUndefined();
    expect(toolMarkers(QWEN3).calls?.open).toEqual(['<tool_call>']);
    expect(toolMarkers('{{ messages }}').calls).toBeUndefined();
  });
});
