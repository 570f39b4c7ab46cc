import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderChat } from '../chat-template.ts';
import { CALL_FORMATS, callFormatOf, callMarkersOf, withCalls } from './index.ts';
import {
  callsIn,
  cutsOf,
  GIVEN,
  NO_TOKENS,
  piecesOf,
  plainCalls,
  splitterOf,
  TOOLS,
} from './tool-calls.testing.ts';

const published = (name: string) => readFileSync(`fixtures/templates/${name}.jinja`, 'utf8');
const JSON_GIVEN = JSON.stringify(GIVEN);
const BOTH = [
  ['rain', GIVEN],
  ['now', {}],
];
/** As XML formats write them: strings as they are, all else as JSON. */
const TEXTS = Object.entries(GIVEN).map(([key, value]) => {
  return [key, typeof value === 'string' ? value : JSON.stringify(value)] as const;
});

interface Sample {
  readonly template: string; // what of a template shows the format
  readonly reply: string; // two calls, one without arguments
}

const xml = (tag: string) =>
  `<${tag}>\n<function=rain>\n` +
  TEXTS.map(([key, text]) => `<parameter=${key}>\n${text}\n</parameter>\n`).join('') +
  `</function>\n</${tag}>\n<${tag}>\n<function=now>\n</function>\n</${tag}>`;

const argKeys = (key: string, value: string, line: string) =>
  TEXTS.map(([name, text]) => `<${key}>${name}</${key}>${line}<${value}>${text}</${value}>${line}`).join('');

const invokes = (prefix: string, kind: (key: string) => string) =>
  `<${prefix}invoke name="rain">\n` +
  TEXTS.map(
    ([key, text]) => `<${prefix}parameter name="${key}"${kind(key)}>${text}</${prefix}parameter>\n`,
  ).join('') +
  `</${prefix}invoke>\n<${prefix}invoke name="now">\n</${prefix}invoke>\n`;

const LIST = `[{"name": "rain", "arguments": ${JSON_GIVEN}}, {"name": "now", "arguments": {}}]`;
const hermes = (tag: string) =>
  `<${tag}>\n{"name": "rain", "arguments": ${JSON_GIVEN}}\n</${tag}>\n<${tag}>{"name": "now"}</${tag}>`;

const SAMPLES: Readonly<Record<string, Sample>> = {
  harmony: {
    template: published('openai-gpt-oss-120b'),
    reply:
      `<|channel|>commentary to=functions.rain <|constrain|>json<|message|>${JSON_GIVEN}<|call|>` +
      '<|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}<|call|>',
  },
  gemma: {
    template: '<|tool_call>call:',
    reply:
      '<|tool_call>call:rain{at:<|"|>Ulm, "<b>" & 42<|"|>,days:3,share:-0.5,sure:true,hours:[6,18],' +
      'by:{map:{id:7,on:false}},note:null}<tool_call|><|tool_call>call:now{}<tool_call|>',
  },
  lfm: {
    template: published('LFM2-8B-A1B'),
    reply:
      `<|tool_call_start|>[rain(at='Ulm, "<b>" & 42', days=3, share=-0.5, sure=True, hours=[6, 18], ` +
      `by={"map": {'id': 7, "on": False}}, note=None), now()]<|tool_call_end|>`,
  },
  kimi: {
    template: '<|tool_calls_section_begin|>',
    reply:
      `<|tool_calls_section_begin|><|tool_call_begin|>functions.rain:0<|tool_call_argument_begin|>${JSON_GIVEN}<|tool_call_end|>` +
      '<|tool_call_begin|>functions.now:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>',
  },
  dsml: {
    template: '<｜DSML｜function_calls>',
    reply: `<｜DSML｜function_calls>\n${invokes('｜DSML｜', (key) => ` string="${key === 'at'}"`)}</｜DSML｜function_calls>`,
  },
  deepseek: {
    template: '<｜tool▁calls▁begin｜>```json',
    reply:
      `<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>rain\n\`\`\`json\n${JSON_GIVEN}\n\`\`\`<｜tool▁call▁end｜>\n` +
      '<｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
  },
  minimax: {
    template: '<minimax:tool_call>',
    reply: `<minimax:tool_call>\n${invokes('', () => '')}</minimax:tool_call>`,
  },
  mistral: {
    template: '[TOOL_CALLS][ARGS]',
    reply: `[TOOL_CALLS]rain[ARGS]${JSON_GIVEN}[TOOL_CALLS]now[CALL_ID]abcdefghi[ARGS]{}`,
  },
  solar: {
    template: '<|tool_call:begin|>',
    reply:
      `<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>rain<|tool_call:args|>${JSON_GIVEN}<|tool_call:end|>` +
      '<|tool_call:begin|>a2<|tool_call:name|>now<|tool_call:args|>{}<|tool_call:end|><|calls|>',
  },
  cohere: {
    template: '<|START_THINKING|><|START_ACTION|>',
    reply:
      `<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "rain", "parameters": ${JSON_GIVEN}},\n` +
      '    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>',
  },
  nemotron: { template: '<TOOLCALL>', reply: `<TOOLCALL>${LIST}</TOOLCALL>` },
  'function-xml': { template: '<tool_call>\n<function=a>\n<parameter=b>', reply: xml('tool_call') },
  'arg-keys': {
    template: '<tool_call><arg_key>',
    reply: `<tool_call>rain\n${argKeys('arg_key', 'arg_value', '\n')}</tool_call><tool_call>now</tool_call>`,
  },
  longcat: { template: '<longcat_tool_call>', reply: hermes('longcat_tool_call') },
  'tool-calls': { template: '<tool_calls>', reply: `<tool_calls>${LIST}</tool_calls>` },
  hermes: { template: published('Qwen-Qwen3-0.6B'), reply: hermes('tool_call') },
  granite: { template: published('ibm-granite-granite-3.3-2B-Instruct'), reply: `<|tool_call|>${LIST}` },
  llama: {
    template: 'ipython',
    reply: `<|python_tag|>[{"name": "rain", "parameters": ${JSON_GIVEN}}, {"name": "now", "parameters": {}}]`,
  },
};

/** Other ways in which a family writes calls. */
const VARIANTS: Readonly<Record<string, Sample & { readonly calls?: readonly unknown[] }>> = {
  'Mistral until 2025': { template: '[TOOL_CALLS]', reply: `[TOOL_CALLS] ${LIST}` },
  'GLM-4.7, without line breaks': {
    template: '<tool_call><arg_key>',
    reply: `<tool_call>rain${argKeys('arg_key', 'arg_value', '')}</tool_call><tool_call>now</tool_call>`,
  },
  'Hunyuan 3': {
    template: '<tool_calls><tool_call><tool_sep><arg_key>',
    reply:
      `<tool_calls>\n<tool_call>rain<tool_sep>\n${argKeys('arg_key', 'arg_value', '\n')}</tool_call>\n` +
      '<tool_call>now<tool_sep></tool_call>\n</tool_calls>',
  },
  'Hunyuan 4': {
    template: '<tool_calls:opensource><tool_call:opensource><arg_key:opensource>',
    reply:
      `<tool_calls:opensource><tool_call:opensource>rain${argKeys('arg_key:opensource', 'arg_value:opensource', '')}` +
      '</tool_call:opensource><tool_call:opensource>now</tool_call:opensource></tool_calls:opensource>',
  },
  'LongCat with keys': {
    template: '<longcat_tool_call><longcat_arg_key>',
    reply:
      `<longcat_tool_call>rain\n${argKeys('longcat_arg_key', 'longcat_arg_value', '\n')}</longcat_tool_call>\n` +
      '<longcat_tool_call>now</longcat_tool_call>',
  },
  Seed: { template: '<seed:tool_call><function=a><parameter=b>', reply: xml('seed:tool_call') },
  'DeepSeek-V4': {
    template: '<｜DSML｜tool_calls>',
    reply: `<｜DSML｜tool_calls>\n${invokes('｜DSML｜', (key) => ` string="${key === 'at'}"`)}</｜DSML｜tool_calls>`,
  },
  'LFM2 in JSON': {
    template: '<|tool_list_start|>',
    reply: `<|tool_call_start|>${LIST}<|tool_call_end|>`,
  },
  'Llama, bare': {
    template: 'ipython',
    reply: `{"name": "rain", "parameters": ${JSON_GIVEN}}`,
    calls: [['rain', GIVEN]],
  },
};

test('every format has a sample, and is the one that its sample shows', () => {
  expect(Object.keys(SAMPLES)).toEqual(Object.keys(CALL_FORMATS));
  for (const [name, { template }] of Object.entries(SAMPLES)) {
    expect(callFormatOf(template, NO_TOKENS), name).toBe(CALL_FORMATS[name]);
  }
});

describe.each(Object.entries<Sample & { readonly calls?: readonly unknown[] }>({ ...SAMPLES, ...VARIANTS }))(
  '%s',
  (_name, { template, reply, calls = BOTH }) => {
    const split = (deltas: readonly string[]) => piecesOf(splitterOf(template), deltas);

    test('is read, wherever the reply is cut', () => {
      const pieces = split([reply]);
      expect(plainCalls(callsIn(pieces))).toEqual(calls);
      expect(pieces.filter(({ kind, text }) => kind === 'answer' && text !== '')).toEqual([]);
      const wanted = JSON.stringify(pieces.filter(({ kind }) => kind === 'call'));
      const differs = (deltas: readonly string[]) =>
        JSON.stringify(split(deltas).filter(({ kind }) => kind === 'call')) !== wanted;
      expect([...cutsOf(reply), Array.from(reply)].filter(differs)).toEqual([]);
    });

    test('is text where it ends early, and nothing is lost', () => {
      for (let end = 0; end < reply.length; end++) {
        const pieces = split([reply.slice(0, end)]);
        expect(pieces.map(({ text }) => text).join('')).toBe(reply.slice(0, end));
        const some = plainCalls(callsIn(pieces));
        expect(some).toEqual(calls.slice(0, some.length)); // none, or the first ones whole
      }
    });

    test('is text where it is damaged, and nothing is lost', () => {
      for (let at = 0; at < reply.length; at++) {
        const damaged = `${reply.slice(0, at)}\u0000${reply.slice(at + 1)}`;
        const pieces = split([damaged]);
        expect(pieces.map(({ text }) => text).join('')).toBe(damaged);
      }
    });

    const { forced } = callMarkersOf(template, NO_TOKENS, TOOLS) ?? {};
    if (forced) {
      test('is what a grammar makes', () => {
        const whole = `${forced.begin('rain')}${JSON_GIVEN}${forced.end}`;
        expect(plainCalls(callsIn(split([whole])))).toEqual([['rain', GIVEN]]);
        const lines = `${whole}\n${forced.begin('now')}{ }${forced.end}`;
        for (const deltas of cutsOf(lines)) expect(plainCalls(callsIn(split(deltas)))).toEqual(BOTH);
      });
    }
  },
);

test('docs/TOOLS.md lists the formats in their order, and which can be forced', () => {
  const rows = readFileSync('docs/TOOLS.md', 'utf8').matchAll(/^\| `([\w-]+)` .*\| (yes|no) +\|$/gm);
  const forced = Object.entries(SAMPLES).map(([name, { template }]) => {
    return [name, callMarkersOf(template, NO_TOKENS, TOOLS)?.forced ? 'yes' : 'no'];
  });
  expect(Array.from(rows, ([, name, isForced]) => [name, isForced])).toEqual(forced);
});

test('formats whose arguments are JSON can be forced, the others cannot', () => {
  const names = Object.entries(SAMPLES).filter(([, { template }]) => {
    return callMarkersOf(template, NO_TOKENS, TOOLS)?.forced === undefined;
  });
  expect(names.map(([name]) => name)).toEqual([
    'gemma',
    'lfm',
    'dsml',
    'minimax',
    'function-xml',
    'arg-keys',
  ]);
});

describe('a format is found in the vocabulary', () => {
  const found = (...tokens: string[]) => callFormatOf('{{ tools }}', (token) => tokens.includes(token));

  test('where the template shows none', () => {
    expect(found('<|tool_calls_section_begin|>', '<|tool_calls_section_end|>')).toBe(CALL_FORMATS['kimi']);
    expect(found('<|tool_call_start|>', '<|tool_call_end|>')).toBe(CALL_FORMATS['lfm']);
    expect(found('[TOOL_CALLS]')).toBe(CALL_FORMATS['mistral']);
    expect(found('<tool_call>', '</tool_call>')).toBeUndefined(); // Qwen's, of which its base models know nothing
    expect(found()).toBeUndefined();
  });

  test('and the template wins', () => {
    expect(callFormatOf('<tool_call>', () => true)).toBe(CALL_FORMATS['hermes']);
  });
});

describe('values that are plain text', () => {
  const read = (schema: object, text: string) => {
    const tools = [
      {
        type: 'function',
        function: {
          name: 'f',
          parameters: { type: 'object', properties: { x: schema }, $defs: { n: { type: 'number' } } },
        },
      },
    ];
    const markers = callMarkersOf('<parameter=', NO_TOKENS, tools);
    const region = `<tool_call>\n<function=f>\n<parameter=x>\n${text}\n</parameter>\n</function>\n</tool_call>`;
    return plainCalls(markers?.read(region) ?? [])[0]?.[1];
  };

  test.each<[object, string, unknown]>([
    [{ type: 'string' }, '42', '42'],
    [{ type: 'string' }, 'true', 'true'],
    [{ type: 'string' }, '{"a": 1}', '{"a": 1}'],
    [{ type: 'string' }, '"quoted"', '"quoted"'],
    [{ type: 'string' }, ' two\nlines ', ' two\nlines '],
    [{ type: 'string' }, 'a </parameter> b </function>', 'a </parameter> b </function>'],
    [{ type: 'string' }, '', ''],
    [{ enum: ['1', '2'] }, '1', '1'],
    [{ const: '1' }, '1', '1'],
    [{ type: 'integer' }, '42', 42],
    [{ type: 'integer' }, 'some', 'some'],
    [{ type: 'number' }, '42', 42],
    [{ $ref: '#/$defs/n' }, '4.5', 4.5],
    [{ $ref: '#/$defs/none' }, '4.5', 4.5],
    [{ type: 'boolean' }, 'True', true],
    [{ type: 'array' }, "['a', None]", ['a', null]],
    [{ type: 'object' }, "{'a': (1, 2)}", { a: [1, 2] }],
    [{ type: ['string', 'null'] }, 'null', null],
    [{ type: ['string', 'null'] }, '1', '1'],
    [{ type: ['string', 'integer'] }, '1', 1],
    [{ anyOf: [{ type: 'string' }, { type: 'number' }] }, '1', 1],
    [{ oneOf: [{ type: 'string' }, { $ref: '#/$defs/n' }] }, 'x', 'x'],
    [{}, '[1]', [1]],
    [{}, 'plain', 'plain'],
  ])('%j: %j', (schema, text, wanted) => {
    expect(read(schema, text)).toEqual({ x: wanted });
  });

  test('of parameters that no schema names, and with names of every kind', () => {
    const markers = callMarkersOf('<parameter=', NO_TOKENS, TOOLS);
    const region =
      '<tool_call><function=other><parameter=__proto__>1</parameter><parameter=toString>a</parameter></function></tool_call>';
    expect(markers?.read(region)).toEqual([{ name: 'other', arguments: '{"__proto__":1,"toString":"a"}' }]);
  });

  test('keep the digits of large numbers', () => {
    const markers = callMarkersOf('<parameter=', NO_TOKENS, TOOLS);
    const region =
      '<tool_call><function=rain><parameter=days>12345678901234567890</parameter></function></tool_call>';
    expect(markers?.read(region)).toEqual([{ name: 'rain', arguments: '{"days":12345678901234567890}' }]);
  });
});

describe('calls in Python', () => {
  const read = (list: string) => {
    const markers = callMarkersOf('<|tool_list_start|>', NO_TOKENS, TOOLS);
    return plainCalls(markers?.read(`<|tool_call_start|>${list}<|tool_call_end|>`) ?? []);
  };

  test.each<[string, unknown]>([
    [String.raw`"a\"b\n\\"`, 'a"b\n\\'],
    [String.raw`'\x41\u00e4\U0001F98A\d'`, 'Aä🦊\\d'],
    ["'it's, here'", "it's, here"], // LFM2.5's template escapes nothing
    ["''", ''],
    ["'a\nb'", 'a\nb'],
    ['-1.5e-05', -1.5e-5],
    ['(1, [2,], {})', [1, [2], {}]],
    ['{"a": {"b": None}}', { a: { b: null } }],
  ])('f(x=%s)', (literal, wanted) => {
    expect(read(`[f(x=${literal})]`)).toEqual([['f', { x: wanted }]]);
  });

  test.each([
    'f(x=1)',
    '[f(1)]',
    '[f(x=name)]',
    '[f(x=007)]',
    '[f(x="a)]',
    '[f(x=1) g()]',
    '[f(x=1)] and more',
    `[f(x=${'['.repeat(5000)})]`,
    '[]',
  ])('%.40s is none', (list) => {
    expect(read(list)).toEqual([]);
  });
});

test('an answer in JSON is no call of Llama unless it names a tool', () => {
  const reply = '{"name": "Ulm", "parameters": {}}';
  const pieces = piecesOf(splitterOf('ipython'), [reply]);
  expect(pieces.map(({ kind, text }) => (kind === 'answer' ? text : '')).join('')).toBe(reply);
  const later = piecesOf(splitterOf('ipython'), ['So: {"name": "rain", "parameters": {}}']);
  expect(callsIn(later)).toEqual([]);
});

test('ids that a model writes are kept', () => {
  const ids = (name: string) => {
    const { template = '', reply = '' } = SAMPLES[name] ?? {};
    return callsIn(piecesOf(splitterOf(template), [reply])).map(({ id }) => id);
  };
  expect(ids('kimi')).toEqual(['functions.rain:0', 'functions.now:1']);
  expect(ids('solar')).toEqual(['a1', 'a2']);
  expect(ids('mistral')).toEqual([undefined, 'abcdefghi']);
});

const called = [
  { role: 'user', content: 'Rain?' },
  {
    role: 'assistant',
    content: '',
    tool_calls: [
      { id: 'call_0123456789abcdef01234567', type: 'function', function: { name: 'rain', arguments: GIVEN } },
    ],
  },
  { role: 'tool', content: 'none', tool_call_id: 'call_0123456789abcdef01234567' },
];

/** The messages as a template takes them, and its text. */
function render(template: string, turns = called, hasToken = NO_TOKENS, specialTokens = {}) {
  const chat = withCalls({ template, hasToken, turns, tools: TOOLS, specialTokens });
  const now = new Date(2026, 2, 5);
  return renderChat(template, chat.turns, { tools: TOOLS, specialTokens, now });
}

describe('published templates write calls that are read back', () => {
  test.each([
    ['Qwen-Qwen3-0.6B', '<|im_end|>'],
    ['openai-gpt-oss-120b', '<|start|>functions.rain'],
    ['LFM2-8B-A1B', '<|im_end|>'],
    ['ibm-granite-granite-3.3-2B-Instruct', '<|end_of_text|>'],
  ])('%s', (name, end) => {
    const template = published(name);
    const specialTokens = { bos_token: '' };
    const prompt = render(template, called.slice(0, 1), NO_TOKENS, specialTokens);
    const whole = render(template, called, NO_TOKENS, specialTokens);
    expect(whole.startsWith(prompt)).toBe(true);
    const reply = whole.slice(prompt.length).split(end)[0] ?? '';
    expect(whole).toContain('none');
    for (const deltas of [[reply], Array.from(reply), ...cutsOf(reply)]) {
      const pieces = piecesOf(splitterOf(template, NO_TOKENS, prompt), deltas);
      expect(plainCalls(callsIn(pieces))).toEqual([['rain', GIVEN]]);
    }
  });
});

describe('messages with calls', () => {
  const show = (source: string) =>
    `{{ tools and "" }}{% for m in messages %}{% for c in m.tool_calls or [] %}${source}{% endfor %}{% endfor %}`;

  test('have arguments as objects, or as JSON where a template joins them to texts', () => {
    expect(render(show('{{ c.function.arguments | tojson }}'))).toContain('{"at": "Ulm');
    const items = '{% for k, v in c.function.arguments | items %}{{ k }}={{ v }};{% endfor %}';
    expect(render(show(items))).toContain(`at=${GIVEN.at};days=3;`);
    expect(render(show("{{ 'a' + c.function.arguments }}"))).toBe(`a${JSON_GIVEN}`);
    expect(render(show('{{ c.function.arguments }}'))).toBe(JSON_GIVEN); // not Python
  });

  test('have no content where a template wants none, and a message of their own where they have some', () => {
    const template =
      '{{ tools and "" }}{% for m in messages %}{% if m.content is none %}[{{ m.tool_calls | tojson }}]' +
      '{% else %}{{ m.content }}.{% endif %}{% endfor %}';
    expect(render(template)).toMatch(/^Rain\?\.\[\[.*"arguments": \{"at".*\]none\.$/);
    const said = called.map((turn) => (turn.role === 'assistant' ? { ...turn, content: 'Wait' } : turn));
    expect(render(template, said)).toMatch(/^Rain\?\.Wait\.\[\[.*"arguments": \{"at".*\]none\.$/);
  });

  test("have Mistral's ids, the same in the answer", () => {
    const template = `${show('{% if c.id|length != 9 %}{{ raise_exception("id") }}{% endif %}{{ c.id }}{{ c.function | tojson }}')}{{ messages[-1].tool_call_id }}`;
    expect(render(template)).toMatch(/^f01234567\{"name": "rain".*f01234567$/);
    const none = called.map(({ tool_calls: calls, ...turn }) =>
      calls ? { ...turn, tool_calls: calls.map(({ id: _, ...call }) => call) } : turn,
    );
    expect(render(template, none as typeof called)).toMatch(/^000000000\{/);
  });

  test("have Kimi's ids, which say what was called", () => {
    const template = `${show('<|tool_call_begin|>{{ c.id }}<|tool_call_argument_begin|>{{ c.function.arguments | tojson }}')}{{ messages[-1].tool_call_id }}`;
    expect(render(template)).toMatch(/functions\.rain:0<\|tool_call_argument_begin\|>.*functions\.rain:0$/);
  });

  test('are texts for templates without a place, where their format is known', () => {
    const template = '{% for m in messages %}{{ m.content }}|{% endfor %}{{ tools and "" }}';
    const tokens = (token: string) => token.startsWith('<|tool_calls_section');
    expect(render(template, called, tokens)).toBe(
      `Rain?|<|tool_calls_section_begin|><|tool_call_begin|>functions.rain:0<|tool_call_argument_begin|>${JSON_GIVEN}` +
        '<|tool_call_end|><|tool_calls_section_end|>|none|',
    );
    expect(() => render(template)).toThrow(/no place for tool_calls in messages/);
  });
});
