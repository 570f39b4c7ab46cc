/** Writes the blocks of the documents as modules into a folder, beside what type-checks and runs them. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Block, moduleOf, root } from './blocks.ts';
import { GIVEN_NAMES } from './given.ts';

/** Packages that blocks import, and the folder whose package.json names them. */
const PACKAGES = {
  openai: 'e2e/clients',
  ai: 'e2e/clients',
  '@langchain/openai': 'e2e/clients',
  react: 'e2e/bundlers',
  '@types/react': 'e2e/bundlers',
  vue: 'e2e/bundlers',
  svelte: 'e2e/bundlers',
};

const TSCONFIG = {
  extends: '../../tsconfig.json',
  compilerOptions: {
    noUnusedLocals: false,
    noPropertyAccessFromIndexSignature: false,
    jsx: 'react-jsx',
    // By paths: docs/ has packages of its own.
    types: ['vite/client', '@webgpu/types', '@types/node'].map((name) => `../../node_modules/${name}`),
    paths: {
      atomoe: ['../../src/index.ts'],
      'atomoe/node': ['../../src/node.ts'],
      'atomoe/ops': ['../../src/ops.ts'],
      'atomoe/ai-sdk': ['../../src/ai-sdk/index.ts'],
      'atomoe/openai': ['../../src/openai/index.ts'],
      'atomoe/service-worker': ['../../src/openai/relay/worker.ts'],
      'atomoe/worker': ['../../src/worker/worker.ts'],
      'atomoe/element': ['../../src/element/index.ts'],
      'atomoe/element/define': ['../../src/element/define.ts'],
      'atomoe/element/*': ['./types/*.d.ts'],
      'atomoe/react': ['../../src/frameworks/react.ts'],
      'atomoe/svelte': ['../../src/frameworks/svelte.ts'],
      'atomoe/vue': ['../../src/frameworks/vue.ts'],
      // Our sources are checked with the frameworks' own types, too.
      react: ['./node_modules/@types/react'],
      vue: ['./node_modules/vue'],
    },
  },
  include: ['*.ts', '*.tsx', '../../src/**/*.d.ts'],
  exclude: [],
};

/** A written block. */
export interface Written {
  readonly block: Block;
  readonly file: string; // path of the module that runs in Node
}

/** What runs in Node: it has no workers of the web's kind, so that the engine is in the same thread; and nothing is left behind. */
function forNode(text: string, folder: string): string {
  return text
    .replace('import { createWorkerEngine', 'import { createEngine as createWorkerEngine')
    .replace("'models-kept'", JSON.stringify(join(folder, 'models-kept')));
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  ts: 'ts',
  js: 'ts',
  tsx: 'tsx',
  vue: 'ts',
  svelte: 'ts',
};

/** The part of a block that is TypeScript; undefined: none. */
function scriptOf(block: Block): Block | undefined {
  if (block.language !== 'vue' && block.language !== 'svelte') return block;
  const [, text] = /<script[^>]*>\n([^]*?)<\/script>/.exec(block.text) ?? [];
  return text === undefined ? undefined : { ...block, text, words: ['module'] };
}

/**
 * Writes the blocks that are programs, with what they import.
 *
 * @param folderName - in docs/, and one for each lane of tests: they run at the same time
 * @throws {Error} where a package is missing: `npm run test:all` installs them
 */
export function writeBlocks(folderName: string, blocks: readonly Block[]): Written[] {
  const folder = join(root, 'docs', folderName);
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['types', 'run']) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  for (const [name, owner] of Object.entries(PACKAGES)) {
    const source = join(root, owner, 'node_modules', name);
    const place = join(folder, 'node_modules', name);
    if (!existsSync(source)) throw new Error(`${name} is not installed: run npm install in ${owner}`);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(source, place, 'junction');
  }
  for (const name of ['react', 'vue', 'svelte']) {
    // The package's types are over what a build writes; here they are over the sources.
    const text = readFileSync(join(root, `types/${name}.d.ts`), 'utf8');
    const over = text.replace('../dist/types/element/index.d.ts', '../../../src/element/index.ts');
    writeFileSync(join(folder, `types/${name}.d.ts`), over);
  }
  return blocks.flatMap((block) => {
    const named = block.words.find((word) => word.endsWith('.js'));
    if (named !== undefined) writeFileSync(join(folder, named), block.text);
    const extension = EXTENSIONS[block.language];
    const script = extension === undefined ? undefined : scriptOf(block);
    if (!script) return [];
    const name = `${block.page.replaceAll(/\W+/g, '-')}-${block.line}.${extension}`;
    const file = join(folder, 'run', name);
    const text = moduleOf(script, GIVEN_NAMES);
    writeFileSync(join(folder, name), text);
    writeFileSync(file, forNode(text, folder));
    return [{ block, file }];
  });
}
