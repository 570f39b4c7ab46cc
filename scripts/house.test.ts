import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { JOURNEY, staysOf, wrongSteps } from './house/journey.mjs';
import { parseModule, readModules, type Module } from './house/modules.mjs';
import { arrowsOf, drawMermaid, findCircle } from './house/picture.mjs';

function parse(files: Record<string, string>): Map<string, Module> {
  return new Map(Object.entries(files).map(([path, text]) => [path, parseModule(path, text)]));
}

const house = parse({
  'top/a.ts': `import type { B } from '../middle/b.ts';\nexport { c } from '../low/deep/c.ts';\nexport class A {\n  go(b: B) { return [1].map(this.#turn); }\n  #turn = 1;\n}`,
  'middle/b.ts': `export const b = { run: async () => (await import('../low/deep/c.ts')).c() };\nexport function turn() { b?.run(); }`,
  'low/deep/c.ts': `import { d } from './d.ts';\nexport const c = () => d;`,
  'low/deep/d.ts': `import 'elsewhere';\nexport const d = 1;`,
});

test('imports of types, re-exports and imports at run time are arrows; those within a folder are none', () => {
  const arrows = arrowsOf(house.values());
  expect(Object.fromEntries([...arrows].map(([from, to]) => [from, [...to]]))).toEqual({
    top: ['middle', 'low'],
    middle: ['low'],
    low: [],
  });
  expect(findCircle(arrows)).toBeUndefined();
});

test('an arrow that others make plain is not drawn', () => {
  expect(drawMermaid(arrowsOf(house.values())).split('\n')).toEqual([
    '```mermaid',
    'flowchart TD',
    '  middle --> low',
    '  top --> middle',
    '```',
  ]);
});

test('folders that import one another are found, though no file does', () => {
  const files = {
    'top/a.ts': `import '../low/b.ts';`,
    'low/b.ts': '',
    'low/c.ts': `import '../top/d.ts';`,
    'top/d.ts': '',
  };
  expect(findCircle(arrowsOf(parse(files).values()))).toEqual(['top', 'low', 'top']);
});

test('a journey knows its stays, and steps that the code does not make', () => {
  const walk = [
    ['top/a.ts', 'go'],
    ['middle/b.ts', 'turn'],
    ['middle/b.ts', 'run'],
    ['low/deep/c.ts', 'c'],
  ] as const;
  expect(wrongSteps([walk], house)).toEqual([]);
  expect(staysOf([walk])).toEqual([
    { folder: 'top', functions: ['go'] },
    { folder: 'middle', functions: ['turn', 'run'] },
    { folder: 'low', functions: ['c'] },
  ]);
  expect(wrongSteps([[walk[0], walk[3]]], house)).toEqual(['nothing before it calls c of src/low/deep/c.ts']);
  expect(wrongSteps([[['top/a.ts', 'stop']]], house)).toEqual(['src/top/a.ts has no function stop']);
});

test('arrows of src/ run down, and an expert makes the journey that is told', () => {
  const modules = readModules(resolve(import.meta.dirname, '../src'));
  expect(findCircle(arrowsOf(modules.values()))).toBeUndefined();
  expect(wrongSteps(JOURNEY, modules)).toEqual([]);
});
