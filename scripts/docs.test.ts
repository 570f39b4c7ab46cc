/**
 * The code in the documents: every block is type-checked against the package, and run where Node can run it. The words
 * behind the language of a block say how: none: it runs with what `docs/given.ts` has; `browser`: it is type-checked, and
 * `e2e/docs.spec.ts` runs it; `module`: a file of its own, type-checked; `model=NAME`: it runs with this model.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createEngine, type Engine } from '../src/index.ts';
import type { AtomoeError } from '../src/errors.ts';
import { blocksOf, placeOf, readPages, root, runsInNode } from './docs/blocks.ts';
import { type Written, writeBlocks } from './docs/generate.ts';
import { type Given, givenBy } from './docs/given.ts';
import { type Host, playHosts } from './docs/host.ts';
import { Shell } from './docs/shell.ts';

const pages = readPages();
const blocks = [...pages].flatMap(([page, text]) => blocksOf(page, text));
const of = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

/** In docs/, where the blocks are written. */
const FOLDER = '.blocks';

const PROGRAMS = ['ts', 'js', 'tsx', 'vue', 'svelte'];
/** What is said of the other languages is at their tests. */
const OTHERS = ['sh', 'json', 'html', 'http', 'nginx', 'caddy', 'text', 'mermaid'];

test('every block says its language, and there is a test for it', () => {
  const unknown = blocks.filter(({ language }) => ![...PROGRAMS, ...OTHERS].includes(language));
  expect(unknown.map((block) => `${placeOf(block)} ${block.language}`)).toEqual([]);
});

test.each(of('json').map((block) => [placeOf(block), block] as const))('%s is JSON', (_, { text }) => {
  expect(() => JSON.parse(text) as unknown).not.toThrow();
});

test('the page of errors has every code, and no other', () => {
  const source = readFileSync(join(root, 'src/errors.ts'), 'utf8');
  const [, union = ''] = /type ErrorCode =([^;]*);/.exec(source) ?? [];
  const codes = [...union.matchAll(/'([\w-]+)'/g)].map(([, code]) => code);
  const told = [...(pages.get('docs/errors.md') ?? '').matchAll(/^### `(.*)`$/gm)].map(([, code]) => code);
  expect(codes.length).toBeGreaterThan(10);
  expect(new Set(told)).toEqual(new Set(codes));
});

/** What is used of compilers that are installed for tests only. */
interface SvelteCompiler {
  compile(text: string, options: object): { warnings: unknown[] };
}
interface VueCompiler {
  parse(text: string): {
    descriptor: { template: { content: string } | null };
    errors: unknown[];
  };
  compileTemplate(options: { source: string; filename: string; id: string }): { errors: unknown[] };
  compileScript(descriptor: unknown, options: { id: string; inlineTemplate: boolean }): { content: string };
}

let host: Host;
beforeAll(async () => {
  host = await playHosts();
});
afterAll(() => host.close());

describe('programs', { tags: ['full'] }, () => {
  let written: Written[];
  const engines = new Map<string, Promise<Engine>>();

  beforeAll(() => {
    written = writeBlocks(FOLDER, of(...PROGRAMS));
    vi.stubGlobal('fetch', host.fetch);
    vi.stubGlobal('location', new URL('https://your.host/'));
  });
  afterAll(async () => {
    vi.unstubAllGlobals();
    for (const engine of engines.values()) (await engine).dispose();
    rmSync(join(root, 'docs', FOLDER), { recursive: true, force: true });
  });

  test('are type-checked against the package', () => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [compiler, '-p', join(root, 'docs', FOLDER)], {
      encoding: 'utf8',
    });
    const errors = stdout.split('\n').filter((line) => line.startsWith(`docs/${FOLDER}`));
    expect(errors).toEqual([]);
    expect(stdout.trim()).toBe('');
  });

  test('components are what the compilers of Vue and Svelte take', async () => {
    const from = createRequire(join(root, 'e2e/bundlers/package.json'));
    const vue = from('vue/compiler-sfc') as VueCompiler;
    const { compile } = (await import(/* @vite-ignore */ from.resolve('svelte/compiler'))) as SvelteCompiler;
    for (const { text } of of('vue')) {
      const { descriptor, errors } = vue.parse(text);
      expect(errors).toEqual([]);
      const source = descriptor.template?.content ?? '';
      expect(vue.compileTemplate({ source, filename: 'a.vue', id: 'a' }).errors).toEqual([]);
      expect(vue.compileScript(descriptor, { id: 'a', inlineTemplate: true }).content).toMatch(
        /onChatDone|onClick/,
      );
    }
    for (const { text } of of('svelte')) expect(compile(text, {}).warnings).toEqual([]);
    expect(of('vue', 'svelte').length).toBeGreaterThan(1);
  });

  /** An engine for the blocks of one page, which may load other models. */
  const openEngine = (page: string, name: string): Promise<Engine> => {
    const model = `https://your.host/models/${name}/`;
    const opening = engines.get(`${page} ${name}`) ?? createEngine({ device: 'cpu', model });
    engines.set(`${page} ${name}`, opening);
    return opening;
  };

  test.each(blocks.filter(runsInNode).map((block) => [placeOf(block), block] as const))(
    '%s runs',
    async (_, block) => {
      const { file = '' } = written.find((each) => each.block === block) ?? {};
      const name = /model=(\S+)/.exec(block.words.join(' '))?.[1] ?? 'fable-moe-12m';
      const shown: unknown[] = [];
      const given = givenBy(
        await openEngine(block.page, name),
        `https://your.host/models/${name}/`,
        (...what) => shown.push(...what),
      );
      const { run } = (await import(/* @vite-ignore */ file)) as { run(given: Given): Promise<void> };
      const wanted = /throws=(\S+)/.exec(block.words.join(' '))?.[1];
      const error = await run(given).catch((thrown: unknown) => thrown);
      for (const session of [given.session, given.other]) session.dispose();
      if (/\.(load|resize)\(/.test(block.text)) {
        given.engine.dispose(); // the next block of the page gets the model as it was
        engines.delete(`${block.page} ${name}`);
      }
      if (wanted === undefined) expect(error).toBeUndefined();
      else expect((error as AtomoeError).code).toBe(wanted);
    },
  );
});

describe('command lines', { tags: ['full'] }, () => {
  let shell: Shell;
  beforeAll(() => {
    const files = of('json').flatMap(({ words, text }) => (words[0] ? [[words[0], text] as const] : []));
    shell = new Shell(host, new Map(files));
  });
  afterAll(() => shell.dispose());

  test.each(of('sh').map((block) => [placeOf(block), block] as const))('%s runs', async (_, block) => {
    await shell.run(block);
  });
});
