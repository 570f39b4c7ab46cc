import { existsSync, readFileSync } from 'node:fs';
import { rm, readdir } from 'node:fs/promises';
import { dirname, posix, resolve } from 'node:path';
import { build, defineConfig, type Plugin } from 'vite';
import { pathFrom, plainLinks, shadersFirst, withoutAnnotations } from './scripts/bare-chunks.ts';
import { bareShader } from './scripts/bare-shader.ts';
import { chunkGroups } from './scripts/chunk-groups.ts';

const root = import.meta.dirname;
const source = (path: string) => resolve(root, 'src', path);

/**
 * The library and the program `atomoe`, as one set of modules that share chunks. Run-time dependencies are bundled:
 * then one script tag is enough, and the package installs nothing besides itself.
 */
export default defineConfig({
  publicDir: false,
  plugins: [
    cleanBefore(),
    coreOfThree(),
    bareShaders(),
    shadersFirst(),
    bareStyles(),
    grammarLibrary(),
    workerBeside(),
    workerInOne(),
    withoutFacades(),
    plainLinks(),
    withoutAnnotations(),
    executable(),
    licences(),
  ],
  build: {
    outDir: resolve(root, 'dist'),
    emptyOutDir: false, // the demo's build lies in dist/demo
    target: 'es2022',
    reportCompressedSize: false,
    lib: {
      formats: ['es'],
      entry: {
        index: source('index.ts'),
        ops: source('ops.ts'),
        element: source('element/index.ts'),
        'element/define': source('element/define.ts'),
        node: source('node.ts'),
        openai: source('openai/index.ts'),
        'service-worker': source('openai/relay/worker.ts'),
        'ai-sdk': source('ai-sdk/index.ts'),
        react: source('frameworks/react.ts'),
        svelte: source('frameworks/svelte.ts'),
        vue: source('frameworks/vue.ts'),
        cli: source('cli/main.ts'),
        'worker-modules': source('worker/worker.ts'),
      },
    },
    rolldownOptions: {
      // Dawn and frameworks are the user's to install; Node's own modules are only reached from the entries for Node.
      external: [/^node:/, 'webgpu', 'react', 'vue'],
      // A slow machine is told nothing by the share of its build time.
      checks: { pluginTimings: false },
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'chunks/[name]-[hash].js',
        minify: true,
        codeSplitting: { groups: chunkGroups },
      },
    },
  },
});

/** Removes an earlier build once this one has succeeded, and leaves the demo's. */
function cleanBefore(): Plugin {
  let dist = '';
  return {
    name: 'atomoe:clean',
    configResolved({ build }) {
      dist = resolve(root, build.outDir);
    },
    async generateBundle() {
      const names = await readdir(dist).catch(() => []);
      await Promise.all(
        names.filter((name) => name !== 'demo').map((name) => rm(resolve(dist, name), { recursive: true })),
      );
    },
  };
}

/** A group whose module has moved away would leave the core in many files, and nobody would be told. */
function coreOfThree(): Plugin {
  return {
    name: 'atomoe:core-of-three',
    generateBundle(_, bundle) {
      const core = new Set(['index.js']);
      for (const file of core) {
        const output = bundle[file];
        if (output?.type === 'chunk') for (const imported of output.imports) core.add(imported);
      }
      if (core.size === 3) return;
      this.error(
        `the core is ${[...core].join(', ')}; wanted 3 files; correct the paths of the groups of chunks`,
      );
    },
  };
}

/** Inlines shaders in as few bytes as they need. Tests run the same text. */
export function bareShaders(): Plugin {
  return {
    name: 'atomoe:bare-shaders',
    enforce: 'pre',
    load(id) {
      if (!id.endsWith('.wgsl?raw')) return undefined;
      const text = readFileSync(id.slice(0, -'?raw'.length), 'utf8');
      return `export default ${JSON.stringify(bareShader(text))};`;
    },
  };
}

const FOR_NODE =
  'typeof process=="object"&&typeof process.versions=="object"&&typeof process.versions.node=="string"';

/**
 * XGrammar's file calls itself a module and is a script for `<script>` and `require`, which modules of Node have not. It gets
 * what such a script expects, and takes Node for a browser: its binary is in the file, so it reads nothing. What it would
 * write to the console, such as why it gave up, is in `lines`.
 */
export function grammarLibrary(): Plugin {
  return {
    name: 'atomoe:grammar-library',
    enforce: 'pre',
    transform(code, id) {
      if (!/@mlc-ai\/web-xgrammar\/lib\/index\.js/.test(id)) return undefined;
      const changes = [
        [FOR_NODE, 'false'],
        [`await import('module')`, '{}'],
        ['await Module()', 'await Module({ print: heard, printErr: heard })'],
      ] as const;
      const missing = changes.find(([from]) => !code.includes(from));
      if (missing) throw new Error(`@mlc-ai/web-xgrammar has changed: it does not say ${missing[0]}`);
      const script = changes.reduce((text, [from, to]) => text.replace(from, to), code);
      const around = `
const module = { exports: {} }, exports = module.exports, __filename = '', lines = [];
const require = () => ({ pathToFileURL: () => ({ href: '' }) });
const heard = (line) => void (lines.push(line) > 20 && lines.shift());
`;
      const named = 'export default Object.assign(module.exports.default, { lines });';
      return { code: `${around}${script}\n${named}`, map: null };
    },
  };
}

/** What a worker in one script does without, and what stands in its place. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  // A megabyte more for replies that few ask for.
  '/src/text/grammar/library.ts': 'export const openLibrary = undefined, saidLines = [];',
  // The page continues texts by sessions of the worker.
  '/src/engine/talk/text-completions.ts': 'export const createTextCompletion = undefined;',
  // Packs in nested bit planes.
  '/src/weights/nested-planes.ts': `
    import { AtomoeError } from '../errors.ts';
    export const nestedFormat = (above) => ({
      ...{ name: 'nested' + (2 + above), block: 64, unit: 32, wgsl: {}, decode() {} },
      planes() {
        throw new AtomoeError(
          'unsupported-model',
          'nested bit planes are not read by a worker of one script; serve the folder dist as it is, or choose createEngine',
        );
      },
    });`,
};

function withoutParts(): Plugin {
  return {
    name: 'atomoe:without-parts',
    enforce: 'pre',
    load: (id) => Object.entries(LEFT_OUT).find(([end]) => id.endsWith(end))?.[1],
  };
}

/** Inlines the elements' style sheets without the spaces that CSS does not need. */
function bareStyles(): Plugin {
  return {
    name: 'atomoe:bare-styles',
    enforce: 'pre',
    transform(code, id) {
      if (!/\/src\/element\/\w+-style\.ts$/.test(id)) return undefined;
      return code.replace(/`\n[^`]*`/, (css) =>
        css
          .replaceAll(/\s+/g, ' ')
          .replaceAll(/ ?([{};]) ?/g, '$1')
          .replaceAll(/([:,]) /g, '$1')
          .replaceAll(';}', '}'),
      );
    },
  };
}

const WORKER_SOURCE = `new URL('./worker.ts', import.meta.url)`;
const WORKER_MARK = 'atomoe:worker';
const FILE_MARK = 'atomoe:this-file';
const MODULES_MARK = 'atomoe:modules-file';
const MODULES_FILE = 'worker-modules.js';
const MINIFIED_LAUNCH =
  /new Worker\(new URL\(\s*(?:\/\*[^*]*\*\/)?\s*[`"']atomoe:worker[`"'],import\.meta\.url\),\{type:[`"']module[`"']\}\)/;

/**
 * Points at the built worker from whichever chunk starts it, in the words that the bundlers of applications look for:
 * `new Worker(new URL('...', import.meta.url), { type: 'module' })`. Left alone, Vite would build the worker a second
 * time. The chunk is also told its own path, by which it knows whether it was bundled again.
 */
function workerBeside(): Plugin {
  return {
    name: 'atomoe:worker-beside',
    enforce: 'pre',
    transform(code, id) {
      if (!id.endsWith('/src/worker/start.ts')) return undefined;
      if (!code.includes(WORKER_SOURCE)) throw new Error(`src/worker/start.ts does not say ${WORKER_SOURCE}`);
      return code.replace(WORKER_SOURCE, `new URL(/* @vite-ignore */ '${WORKER_MARK}', import.meta.url)`);
    },
    generateBundle(_, bundle) {
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk' || !output.code.includes(WORKER_MARK)) continue;
        const url = pathFrom(output.fileName, 'worker.js');
        const code = output.code.replace(
          MINIFIED_LAUNCH,
          `new Worker(new URL("${url}",import.meta.url),{type:"module"})`,
        );
        if (code.includes(WORKER_MARK))
          throw new Error(`${output.fileName} starts the worker in words unheard of`);
        const modules = posix.relative(dirname(output.fileName), MODULES_FILE);
        output.code = code.replace(FILE_MARK, output.fileName).replace(MODULES_MARK, modules);
        if (output.code === code) throw new Error(`${output.fileName} does not ask for its own path`);
      }
    },
  };
}

/**
 * Builds the worker as one script: Vite 6 and 7 make classic workers, which cannot be cut into chunks. It lies beside the
 * library, and again in a chunk that is loaded where a bundler left the worker's file behind. The package's own files start
 * `worker-modules.js` instead, which shares their chunks.
 */
function workerInOne(): Plugin {
  let built: Promise<string> | undefined;
  return {
    name: 'atomoe:worker-in-one',
    enforce: 'pre',
    async load(id) {
      if (!id.endsWith('/src/worker/inline.ts')) return undefined;
      built ??= buildWorker();
      return `export const workerText = ${JSON.stringify(await built)};`;
    },
    async generateBundle() {
      built ??= buildWorker();
      this.emitFile({ type: 'asset', fileName: 'worker.js', source: await built });
    },
  };
}

async function buildWorker(): Promise<string> {
  const built = await build({
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    plugins: [bareShaders(), withoutKernels(), withoutParts()],
    build: {
      write: false,
      target: 'es2022',
      lib: { formats: ['es'], entry: source('worker/worker.ts'), fileName: 'worker' },
      rolldownOptions: { output: { codeSplitting: false, minify: true } },
    },
  });
  const [output] = [built].flat();
  if (!output || !('output' in output) || output.output.length !== 1)
    throw new Error('the worker is not one script');
  return output.output[0].code;
}

/** A worker reads the kernels from its page: its script does not carry what a model on a GPU never needs. */
function withoutKernels(): Plugin {
  return {
    name: 'atomoe:without-kernels',
    enforce: 'pre',
    load: (id) => (id.endsWith('/src/simd/built.ts') ? 'export const readBuilt = undefined;' : undefined),
  };
}

/**
 * A module that is loaded later but grouped with others is built as two files: its group, and one that says which of the
 * group's names are its own. Who loads it loads the group at once instead, which is one request and not two in turn.
 */
function withoutFacades(): Plugin {
  return {
    name: 'atomoe:without-facades',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk');
      for (const { fileName, code, isDynamicEntry } of chunks) {
        const [, names, group] = /^export\{([^}]+)\}from"(\.\/[^"]+)";\s*$/.exec(code) ?? [];
        if (!isDynamicEntry || names === undefined || group === undefined) continue;
        const own = names.split(',').map((pair) => pair.split(' as '));
        const object = own.map(([inner, outer = inner]) => `${outer}:e.${inner}`).join();
        const groupFile = posix.join(posix.dirname(fileName), group);
        for (const chunk of chunks) {
          const loading = (file: string) => `import(\`${pathFrom(chunk.fileName, file)}\`)`;
          const loaded = `${loading(groupFile)}.then(e=>({${object}}))`;
          chunk.code = chunk.code.replaceAll(loading(fileName), loaded);
          if (chunk.fileName !== fileName && chunk.code.includes(posix.basename(fileName)))
            throw new Error(`${chunk.fileName} loads ${fileName} in words unheard of`);
        }
        delete bundle[fileName];
      }
    },
  };
}

/** The program's first line. */
function executable(): Plugin {
  return {
    name: 'atomoe:executable',
    renderChunk: (code, { fileName }) => (fileName === 'cli.js' ? `#!/usr/bin/env node\n${code}` : undefined),
  };
}

/** Where the text of a licence is that comes without it. */
const SAME_LICENCE: Readonly<Record<string, string>> = { '@mlc-ai/web-xgrammar': '@huggingface/tokenizers' };

/** The licences of what is bundled travel with it. */
function licences(): Plugin {
  return {
    name: 'atomoe:licences',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk');
      const modules = chunks.flatMap(({ moduleIds }) => moduleIds);
      const names = modules.flatMap((id) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []);
      const texts = [...new Set(names)].sort().map((name) => {
        const folder = resolve(root, 'node_modules', name);
        const { version, license } = JSON.parse(readFileSync(resolve(folder, 'package.json'), 'utf8'));
        const file = resolve(folder, 'LICENSE');
        // XGrammar's package has no file of its licence, which is that of the tokenizers to the letter.
        const text = existsSync(file)
          ? readFileSync(file, 'utf8').trim()
          : `${license}: as of ${SAME_LICENCE[name]}`;
        return `${name} ${version} (${license})\n\n${text}\n`;
      });
      const line = `\n${'-'.repeat(80)}\n\n`;
      this.emitFile({ type: 'asset', fileName: 'THIRD-PARTY-LICENCES.txt', source: texts.join(line) });
    },
  };
}
