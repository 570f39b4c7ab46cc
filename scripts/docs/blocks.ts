/** The code in the documents: found, and made into modules that can be type-checked and run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');

/** Pages that are generated, or that speak of the inside: their code is checked where it is written. */
const GENERATED = new Set(['MODELS.md', 'PAPERS.md']);

/** A fenced block of a page. */
export interface Block {
  readonly page: string; // path from the root
  readonly line: number; // of its first line of code, from 1
  readonly language: string;
  readonly words: readonly string[]; // behind the language: how it is tested
  readonly text: string;
}

/** Whether it is a program that runs in Node as it is. */
export function runsInNode({ language, words }: Block): boolean {
  const isOther = words.some((word) => ['browser', 'module', 'types'].includes(word) || word.endsWith('.js'));
  return ['ts', 'js'].includes(language) && !isOther;
}

/** Where a block is, for messages. */
export function placeOf({ page, line }: Block): string {
  return `${page}:${line}`;
}

/** The blocks of a page, in order. */
export function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, fence, info] = /^(`{3,})(.*)$/.exec(lines[at] ?? '') ?? [];
    if (fence === undefined) continue;
    const [language = '', ...words] = (info ?? '').trim().split(/\s+/);
    const end = lines.indexOf(fence, at + 1);
    if (end < 0) throw new Error(`${page}:${at + 1}: a block without an end`);
    blocks.push({ page, line: at + 2, language, words, text: lines.slice(at + 1, end).join('\n') });
    at = end;
  }
  return blocks;
}

/** The pages of the site that people wrote, and the README. */
export function readPages(): Map<string, string> {
  const names = readdirSync(join(root, 'docs')).filter(
    (name) => name.endsWith('.md') && !GENERATED.has(name),
  );
  const paths = [...names.map((name) => `docs/${name}`), 'README.md', 'src/cli/README.md'];
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

const IMPORT = /^import [^;]*;$/gm;

/**
 * A module of a block: its imports, and a function of the rest, which sees what `given.ts` has, as if it had been set up
 * above. Lines keep their numbers from the end, so that an error can be found.
 */
export function moduleOf({ text, words }: Block, given: readonly string[]): string {
  if (words.some((word) => word === 'module' || word.endsWith('.js'))) return text;
  const imports = text.match(IMPORT) ?? [];
  const body = text.replaceAll(IMPORT, '').replaceAll(/^export /gm, '');
  const own = given.filter((name) => !imports.some((line) => new RegExp(`\\b${name}\\b`).test(line)));
  return [
    `import type { Given } from '../../scripts/docs/given.ts';`,
    ...imports,
    `export async function run({ ${own.join(', ')} }: Given): Promise<void> {`,
    '  {',
    body,
    '  }',
    '}',
    '',
  ].join('\n');
}
