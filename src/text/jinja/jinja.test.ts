import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { strftime } from './strftime.ts';
import { MOST_STEPS } from './budget.ts';
import { BudgetError, JinjaError, JinjaSyntaxError } from './errors.ts';
import { parseTemplate } from './parser.ts';
import { renderTemplate } from './render.ts';

interface Case {
  template: string;
  variables?: Record<string, unknown>;
}

type Outcome = { text: string } | { error: 'syntax' | 'run' };

const FOLDER = 'fixtures/templates';
const cases = JSON.parse(readFileSync(`${FOLDER}/cases.json`, 'utf8')) as Case[];
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as Outcome[];
const now = new Date(2026, 2, 5, 7, 8, 9);

function render({ template, variables }: Case): Outcome {
  const source = template.endsWith('.jinja') ? readFileSync(`${FOLDER}/${template}`, 'utf8') : template;
  const context = { tools: null, documents: null, ...variables };
  try {
    const body = parseTemplate(source);
    return {
      text: renderTemplate(body, { variables: context, strftime: (format) => strftime(now, format) }),
    };
  } catch (error) {
    if (error instanceof JinjaSyntaxError) return { error: 'syntax' };
    if (error instanceof JinjaError) return { error: 'run' };
    throw error;
  }
}

test(`${cases.length} templates render as with Jinja2 in the environment of transformers (render.py)`, () => {
  expect(expected).toHaveLength(cases.length);
  const wrong = cases.flatMap((each, i) => {
    const [actual, wanted] = [render(each), expected[i]];
    return JSON.stringify(actual) === JSON.stringify(wanted)
      ? []
      : [{ template: each.template, actual, wanted }];
  });
  expect(wrong).toEqual([]);
});

const strftimeNow = (format: string) => strftime(now, format);
const run = (source: string, variables: Record<string, unknown> = {}, steps = MOST_STEPS) =>
  renderTemplate(parseTemplate(source), { variables, strftime: strftimeNow, steps });

test.each([
  [
    'loops in loops',
    '{% for i in range(100000) %}{% for j in range(100000) %}{{ "" }}{% endfor %}{% endfor %}',
  ],
  [
    'a text that doubles',
    '{% set n = namespace(x="ab") %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}',
  ],
  [
    'a list that doubles',
    '{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}',
  ],
  [
    'a tree that doubles',
    '{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}',
  ],
  [
    'a tree that doubles, compared',
    '{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}' +
      '{% endfor %}{{ n.x == n.y }}',
  ],
  [
    'a tree that doubles, as JSON',
    '{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = {"a": n.x, "b": n.x} %}{% endfor %}{{ n.x|tojson }}',
  ],
  ['a long repetition', '{{ "a" * 10 ** 10 }}'],
  ['a wide field', '{{ "%999999999d" % 1 }}'],
  ['a wide format', '{{ "{:>999999999}".format(1) }}'],
  ['a wide indent', '{{ "a"|indent(10 ** 9) }}'],
  ['wide JSON', '{{ [1]|tojson(indent=10 ** 9) }}'],
  ['a replacement that grows', '{% set x = "a" * 100000 %}{{ x.replace("a", x) }}'],
  ['a join that grows', '{% set x = "a" * 100000 %}{{ x.join(x) }}'],
  ['much output', '{% set x = "a" * 1000000 %}{% for i in range(99) %}{{ x }}{% endfor %}'],
  [
    'a slow search',
    '{% set x = "a" * 1000000 %}{% for i in range(9999) %}{{ ("b" + x[:9999]) in x }}{% endfor %}',
  ],
  [
    'long texts read often',
    '{% set x = "a" * 9000000 %}{% for i in range(99999) %}{% if x[0] %}{% endif %}{% endfor %}',
  ],
  [
    'a slow sort',
    '{% for i in range(9999) %}{% if range(99999)|sort(reverse=true) %}{% endif %}{% endfor %}',
  ],
  ['recursion in a loop', '{% for i in [1] recursive %}{{ loop([1]) }}{{ loop([1]) }}{% endfor %}'],
  [
    'recursion that doubles',
    '{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(99) }}',
  ],
  ['recursion without an end', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
  ['a namespace in itself', '{% set n = namespace() %}{% set n.n = n %}{{ n }}'],
  [
    'a number that grows',
    '{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}',
  ],
  ['a large power', '{{ 9 ** (10 ** 9) }}'],
  ['many decimals', '{{ "%.999999999f" % 0.1 }}{{ 0.1|round(10 ** 9) }}{{ "{:.999999999e}".format(0.1) }}'],
])('a template that does not end ends: %s', (_case, source) => {
  const start = performance.now();
  let error: unknown;
  try {
    run(source, {}, MOST_STEPS / 10);
  } catch (caught) {
    error = caught;
  }
  const isTyped = error instanceof BudgetError || error instanceof JinjaError || error instanceof RangeError;
  expect(isTyped ? undefined : error).toBeUndefined();
  expect(error).toBeDefined();
  expect(performance.now() - start).toBeLessThan(1000);
});

test.each([
  ['parentheses', `{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`],
  ['signs', `{{ ${'-'.repeat(50_000)}1 }}`],
  ['denials', `{{ ${'not '.repeat(50_000)}1 }}`],
  ['blocks', '{% if 1 %}'.repeat(5000) + '{% endif %}'.repeat(5000)],
  ['lists', `{{ ${'['.repeat(5000)}${']'.repeat(5000)} }}`],
])('a template that is nested deeply is refused: %s', (_case, source) => {
  expect(() => parseTemplate(source)).toThrow(JinjaSyntaxError);
});

test('long chains are no deep nesting', () => {
  expect(run(`{{ 1${' + 1'.repeat(3000)} }}`)).toBe('3001');
  expect(run(`{{ 'a'${'|upper'.repeat(3000)} }}`)).toBe('A');
});

test('names that every object has are only names', () => {
  const names = ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf'];
  for (const name of names) {
    expect(run(`{{ ${name} is defined }}{{ {}.${name} is defined }}{{ 'a'.${name} is defined }}`)).toMatch(
      /^FalseFalseFalse$/,
    );
    expect(run(`{{ {'${name}': 1}['${name}'] }}{{ x['${name}'] }}`, { x: { [name]: 2 } })).toBe('12');
    expect(() => run(`{{ 1|${name} }}`)).toThrow(JinjaSyntaxError);
    expect(() => run(`{{ 1 is ${name} }}`)).toThrow(JinjaSyntaxError);
  }
});

test('a thousand messages, a quarter of them tool calls, fit the budget', () => {
  const source = readFileSync(`${FOLDER}/openai-gpt-oss-120b.jinja`, 'utf8');
  const call = [{ function: { name: 'f', arguments: { a: 1 } } }];
  const turn = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: '', tool_calls: call },
    { role: 'tool', content: 'r' },
    { role: 'assistant', content: 'a'.repeat(1000) },
  ];
  const messages = Array.from({ length: 250 }, () => turn).flat();
  const text = run(source, { messages, tools: null, add_generation_prompt: true });
  expect(text.match(/<\|call\|>/g)).toHaveLength(250);
});
