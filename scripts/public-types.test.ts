/** The text of the public types follows what an entry exports, and nothing else. */
import { expect, test } from 'vitest';
import { roller } from './public-types.mjs';

const MODULES: Record<string, string> = {
  'index.d.ts': `
export * from './engine.ts';
export { Kind as Sort } from './kinds.ts';
export declare function open(model: string): Promise<Engine>;
import type { Engine } from './engine.ts';
`,
  'engine.d.ts': `
import { type Kind } from './kinds.ts';
/** An engine. */
export interface Engine {
    readonly kind: Kind; // of it
    hidden(): import("./parts.ts").Part;
}
interface Private { readonly a: number; }
`,
  'kinds.d.ts': `
declare const KINDS: readonly ['a', 'b'];
export type Kind = (typeof KINDS)[number];
export type Unused = 1;
`,
  'parts.d.ts': `export type Part = Sized | string;\ninterface Sized { readonly kind: 1 }\n`,
  'other.d.ts': `import type { Engine } from './engine.ts';\nexport declare const engines: readonly Engine[];\n`,
};

const roll = (changes: Record<string, string> = {}) =>
  roller((path) => ({ ...MODULES, ...changes })[path] ?? '')('index.d.ts');

test('holds what is exported, and all that this names, without comments', () => {
  expect(roll().text).toBe(`export { Engine, Kind as Sort, open };

interface Engine {
    readonly kind: Kind;
    hidden(): Part;
}

declare const KINDS: readonly ['a', 'b'];

type Kind = (typeof KINDS)[number];

type Part = Sized | string;

interface Sized { readonly kind: 1 }

declare function open(model: string): Promise<Engine>;
`);
});

test('changes with the surface, however deep, and not with what is behind it', () => {
  const replaced = (path: string, from: string, to: string) => ({
    [path]: (MODULES[path] ?? '').replace(from, to),
  });
  const before = roll().text;
  expect(roll(replaced('kinds.d.ts', `'a', 'b'`, `'a'`)).text).not.toBe(before);
  expect(roll(replaced('parts.d.ts', 'kind: 1', 'kind: 2')).text).not.toBe(before);
  expect(roll(replaced('index.d.ts', 'as Sort', 'as Type')).text).not.toBe(before);
  expect(roll(replaced('engine.d.ts', 'An engine', 'The engine')).text).toBe(before);
  expect(roll(replaced('engine.d.ts', 'a: number', 'a: string')).text).toBe(before);
  expect(roll(replaced('kinds.d.ts', 'Unused = 1', 'Unused = 2')).text).toBe(before);
});

test('another entry leaves out what the first has', () => {
  const both = roller((path) => MODULES[path] ?? '');
  const { reached } = both('index.d.ts');
  expect(both('other.d.ts', reached).text).toBe(
    'export { engines };\n\ndeclare const engines: readonly Engine[];\n',
  );
});
