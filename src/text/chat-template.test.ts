import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { renderChat } from './chat-template.ts';
import { strftime } from './jinja/strftime.ts';
import { fableFiles } from './text.test-support.ts';
import { openTokenizer } from './tokenizer.ts';

const now = new Date(2026, 2, 5, 7, 8, 9); // Thursday, 5 March 2026, local time
const chat = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello.' },
  { role: 'user', content: 'Who are you?' },
];
const template = (name: string) => readFileSync(`fixtures/templates/${name}.jinja`, 'utf8');

/** What it throws. */
function failure(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

describe('published templates', () => {
  test('Qwen3', () => {
    const text = renderChat(template('Qwen-Qwen3-0.6B'), chat);
    expect(text).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n' +
        '<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n',
    );
    const quiet = renderChat(template('Qwen-Qwen3-0.6B'), chat.slice(1, 2), {
      variables: { enable_thinking: false },
    });
    expect(quiet).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n');
    const closed = renderChat(template('Qwen-Qwen3-0.6B'), chat.slice(0, 2), {
      addGenerationPrompt: false,
    });
    expect(closed).toBe('<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n');
  });

  test('Qwen3 with tools and an old thought', () => {
    const turns = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: '<think>\nhm\n</think>\n\nHello.' },
      { role: 'user', content: 'More' },
    ];
    const tools = [{ type: 'function', function: { name: 'now', parameters: {} } }];
    const text = renderChat(template('Qwen-Qwen3-0.6B'), turns, { tools });
    expect(text).toContain(
      '<tools>\n{"type": "function", "function": {"name": "now", "parameters": {}}}\n</tools>',
    );
    expect(text).toContain('<|im_start|>assistant\nHello.<|im_end|>\n'); // old thoughts are dropped
  });

  test('Granite, with and without a system turn', () => {
    const granite = template('ibm-granite-granite-3.3-2B-Instruct');
    const turn = (role: string, content: string) =>
      `<|start_of_role|>${role}<|end_of_role|>${content}<|end_of_text|>\n`;
    const open = '<|start_of_role|>assistant<|end_of_role|>';
    expect(renderChat(granite, chat.slice(0, 2))).toBe(
      turn('system', 'Be brief.') + turn('user', 'Hi') + open,
    );
    expect(renderChat(granite, chat.slice(1, 2), { now })).toBe(
      turn(
        'system',
        "Knowledge Cutoff Date: April 2024. Today's Date: March 05, 2026. You are Granite, developed by IBM. " +
          'You are a helpful AI assistant.',
      ) +
        turn('user', 'Hi') +
        open,
    );
  });

  test('gpt-oss', () => {
    const text = renderChat(template('openai-gpt-oss-120b'), chat, { now });
    expect(text).toMatch(/^<\|start\|>system<\|message\|>You are ChatGPT/);
    expect(text).toContain('Current date: 2026-03-05\n');
    expect(text).toContain('Reasoning: medium\n');
    expect(text).toContain('<|start|>developer<|message|># Instructions\n\nBe brief.');
    expect(text).toMatch(
      /<\|start\|>user<\|message\|>Hi<\|end\|><\|start\|>assistant<\|channel\|>final<\|message\|>Hello\.<\|end\|>/,
    );
    expect(text).toMatch(/<\|start\|>user<\|message\|>Who are you\?<\|end\|><\|start\|>assistant$/);
  });

  test('LFM2', () => {
    const text = renderChat(template('LFM2-8B-A1B'), chat.slice(0, 2), {
      specialTokens: { bos_token: '<|startoftext|>' },
    });
    expect(text).toBe(
      '<|startoftext|><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  test('Phi', () => {
    const phi = template('microsoft-Phi-3.5-mini-instruct');
    const said = '<|system|>\nBe brief.<|end|>\n<|user|>\nHi<|end|>\n';
    expect(renderChat(phi, chat.slice(0, 2))).toBe(`${said}<|assistant|>\n`);
    const closed = { specialTokens: { eos_token: '<|endoftext|>' }, addGenerationPrompt: false };
    expect(renderChat(phi, chat.slice(0, 2), closed)).toBe(`${said}<|endoftext|>`);
  });
});

describe('an answer that is continued', () => {
  const begun = [...chat, { role: 'assistant', content: 'I am a model, and ' }];

  test.each([
    'LFM2-8B-A1B',
    'Qwen-Qwen3-0.6B',
    'ibm-granite-granite-3.3-2B-Instruct',
    'microsoft-Phi-3.5-mini-instruct',
    'openai-gpt-oss-120b',
  ])('%s: the prompt ends where the answer does', (name) => {
    const continued = renderChat(template(name), begun, { now, continuesFinal: true });
    expect(continued).toMatch(/I am a model, and ?$/);
    const closed = renderChat(template(name), begun, { now, addGenerationPrompt: false });
    expect(closed.startsWith(continued)).toBe(true);
    expect(closed.length).toBeGreaterThan(continued.length);
  });

  test.each([
    ['of the user', chat, /the last message is not the assistant's; wanted the beginning/],
    ['without text', [...chat, { role: 'assistant', content: ' ' }], /the last message is empty/],
  ])('a last message %s is refused', (_, messages, says) => {
    const render = () => renderChat(template('Qwen-Qwen3-0.6B'), messages, { continuesFinal: true });
    expect(render).toThrow(
      expect.objectContaining({ code: 'bad-input', message: expect.stringMatching(says) }),
    );
  });

  test('a template that shows no answers is refused', () => {
    const render = () => renderChat('{{ messages[0].content }}', begun, { continuesFinal: true });
    expect(render).toThrow(/does not show the last message as it is/);
  });
});

describe('thoughts, tools and switches', () => {
  const [qwen, gptOss] = [template('Qwen-Qwen3-0.6B'), template('openai-gpt-oss-120b')];
  const tools = [
    {
      type: 'function',
      function: { name: 'rain', description: 'Rain', parameters: { type: 'object', properties: {} } },
    },
  ];
  const called = [
    { role: 'user', content: 'Rain?' },
    {
      role: 'assistant',
      content: '',
      reasoning_content: 'I ask.',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'rain', arguments: { at: 'Ulm' } } }],
    },
    { role: 'tool', content: 'no', tool_call_id: 'a' },
  ];
  const later = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello.', reasoning_content: 'A greeting.' },
    { role: 'user', content: 'Bye' },
  ];

  test('Qwen3 keeps thoughts between calls, and drops those of earlier answers', () => {
    const text = renderChat(qwen, called, { tools });
    expect(text).toContain('"name": "rain", "description": "Rain"');
    expect(text).toContain(
      '<|im_start|>assistant\n<think>\nI ask.\n</think>\n\n' +
        '<tool_call>\n{"name": "rain", "arguments": {"at": "Ulm"}}\n</tool_call><|im_end|>\n' +
        '<|im_start|>user\n<tool_response>\nno\n</tool_response><|im_end|>\n<|im_start|>assistant\n',
    );
    expect(renderChat(qwen, later)).not.toContain('A greeting.');
  });

  test('so does gpt-oss, under its own name for them', () => {
    const text = renderChat(gptOss, called, { tools, now });
    expect(text).toContain('type rain = () => any;');
    expect(text).toContain(
      '<|start|>assistant<|channel|>analysis<|message|>I ask.<|end|>' +
        '<|start|>assistant to=functions.rain<|channel|>commentary json<|message|>{"at": "Ulm"}<|call|>',
    );
    expect(renderChat(gptOss, later, { now })).not.toContain('A greeting.');
    const said = called.map((turn) => (turn.role === 'assistant' ? { ...turn, content: 'Wait.' } : turn));
    expect(renderChat(gptOss, said, { tools, now })).toContain('<|message|>Wait.<|end|>');
  });

  test('an effort is a variable of the template, or its switch', () => {
    const render = (source: string, variables: Record<string, unknown>) =>
      renderChat(source, later.slice(0, 1), { variables, now });
    expect(render(gptOss, { reasoning_effort: 'high' })).toContain('Reasoning: high\n');
    expect(render(qwen, { reasoning_effort: 'none' })).toMatch(/<think>\n\n<\/think>\n\n$/);
    expect(render(qwen, { reasoning_effort: 'low' })).toMatch(/assistant\n$/);
    expect(render('{{ messages[0].content }}', { reasoning_effort: 'none' })).toBe('Hi');
  });

  test.each<[string, string, Parameters<typeof renderChat>[1], Parameters<typeof renderChat>[2], RegExp]>([
    ['tools', template('microsoft-Phi-3.5-mini-instruct'), later, { tools }, /no place for tools; wanted/],
    ['calls', template('microsoft-Phi-3.5-mini-instruct'), called, {}, /no place for tool_calls in messages/],
    [
      'a switch that it has not',
      gptOss,
      later,
      { variables: { enable_thinking: false } },
      /no variable "enable_thinking"; wanted one that it reads/,
    ],
    [
      'an effort that it has not',
      '{{ messages }}',
      later,
      { variables: { reasoning_effort: 'low' } },
      /no variable "reasoning_effort"/,
    ],
  ])('a template is not given %s', (_case, source, turns, options, message) => {
    const error = failure(() => renderChat(source, turns, options));
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringMatching(message) });
  });
});

test('the story model: the rendered chat encodes to the same ids as the plain prompt', async () => {
  const tokenizer = await openTokenizer(fableFiles());
  const prompt = 'Once upon a time';
  const text = renderChat(tokenizer.chatTemplate!, [{ role: 'user', content: prompt }], tokenizer);
  expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(tokenizer.encode(prompt));
});

test.each<[string, string, { role: string; content: string }[], string, RegExp]>([
  [
    'a template that refuses',
    "{% if messages[0].role != 'user' %}{{ raise_exception('Conversation must start with user') }}{% endif %}",
    chat,
    'bad-input',
    /refuses the messages \(roles: system, user, assistant, user\): Conversation must start with user; change/,
  ],
  [
    'gpt-oss: a tool answer out of nowhere',
    template('openai-gpt-oss-120b'),
    [{ role: 'tool', content: 'x' }],
    'bad-input',
    /no previous assistant message with a tool call/,
  ],
  [
    'no messages',
    template('Qwen-Qwen3-0.6B'),
    [],
    'bad-input',
    /there are no messages, at least one is wanted/,
  ],
  [
    'broken Jinja',
    '{% for %}',
    chat,
    'bad-file',
    /is no valid Jinja: .*; download the tokenizer files again/,
  ],
  ['unclosed block', '{% if true %}x', chat, 'bad-file', /is no valid Jinja/],
])('%s', (_case, source, messages, code, message) => {
  const error = failure(() => renderChat(source, messages));
  expect(error).toBeInstanceOf(AtomoeError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
});

/** Each fault is in the third line. */
test.each<[string, string, 'bad-file' | 'unsupported-model', RegExp]>([
  ['an undefined name that is used', '{{ nothing.at.all }}', 'bad-file', /fails .*'nothing' is undefined/],
  ['an undefined function', '{{ nothing() }}', 'bad-file', /fails .*'nothing' is undefined/],
  ['a division by zero', '{{ 1 / 0 }}', 'bad-file', /fails .*division by zero/],
  ['a sum of a text and a number', "{{ 'a' + 1 }}", 'bad-file', /fails .*unsupported operand type/],
  [
    'a fault in a loop',
    '{% for m in messages %}{{ m.role / 2 }}{% endfor %}',
    'bad-file',
    /fails .*unsupported/,
  ],
  ['a fault in a macro', '{% macro m() %}{{ 1 % 0 }}{% endmacro %}\n\n{{ m() }}', 'bad-file', /fails .*zero/],
  [
    'a macro that calls itself for ever',
    '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
    'bad-file',
    /fails .*nested deeper than 200/,
  ],
  [
    'loops without an end',
    '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}',
    'bad-file',
    /does not end in time: it takes more steps/,
  ],
  ['an unknown filter', '{{ 1 | nothing }}', 'bad-file', /no valid Jinja: No filter named 'nothing'/],
  ['an unknown test', '{{ 1 is nothing }}', 'bad-file', /no valid Jinja: No test named 'nothing'/],
  ['an unknown tag', '{% do x.append(1) %}', 'bad-file', /no valid Jinja: there is no tag "do"/],
  ['a letter that no tag has', '{{ a ? b }}', 'bad-file', /no valid Jinja: unexpected "\?"/],
  [
    "a filter of Jinja2's that is lacking",
    "{{ 'a' | wordwrap(2) }}",
    'unsupported-model',
    /filter "wordwrap"/,
  ],
  ...['include', 'import', 'extends'].map((tag): [string, string, 'unsupported-model', RegExp] => [
    tag,
    `{% ${tag} 'other' %}`,
    'unsupported-model',
    new RegExp(`uses what Atomoe does not do: the tag "${tag}" needs another template`),
  ]),
])("a fault of the template's own is told with its place: %s", (_case, source, code, message) => {
  const error = failure(() => renderChat(`{# one #}\nText {{ 2 }}\n${source}`, chat));
  expect(error).toMatchObject({ name: 'AtomoeError', code, message: expect.stringMatching(message) });
  expect(error).toMatchObject({
    message: expect.stringMatching(/ \(line 3\); [a-z, ]*(send plain text|download)/),
  });
  expect(error).toMatchObject({ message: expect.not.stringMatching(/refuses the messages/) });
});

test.each([
  ['%Y-%m-%d', '2026-03-05'],
  ['%d %b %Y', '05 Mar 2026'],
  ['%A, %B %-d', 'Thursday, March 5'],
  ['%a %e %y', 'Thu  5 26'],
  ['%H:%M:%S %-I %p', '07:08:09 7 AM'],
  ['100%% %Q', '100% %Q'],
])('strftime %j is %j', (format, wanted) => {
  expect(strftime(now, format)).toBe(wanted);
});
