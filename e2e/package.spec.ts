/** What `npm pack` makes works for strangers: from one script tag, and in Node. In apps: examples.spec.ts. */
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'playwright/test';
import { swiftshaderManifest } from '../scripts/chromium.mjs';
import { PATIENCE } from './demo-page.ts';
import { goldenContinuation, gzipSize, install, pack, root, run, serve, type Packed } from './packed.ts';

// Building, installing and two loads on a software adapter: only a hang takes longer.
test.describe.configure({ mode: 'serial', timeout: 600_000 });

const model = join(root, 'demo/public/models/fable-omni-8m');

// Dawn in Node takes SwiftShader, unless the caller named another driver.
process.env['VK_ICD_FILENAMES'] ??= swiftshaderManifest();

let folder: string;
let app: string;
let packed: Packed;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-packed-'));
  app = join(folder, 'app');
  packed = await pack(folder);
  await install(app, packed);
});

test.afterAll(() => rm(folder, { recursive: true, force: true }));

test('the tarball holds the library and nothing else', async () => {
  const paths = packed.files.map(({ path }) => path);
  expect(
    paths.filter(
      (path) => !/^(bin\/atomoe\.js$|dist\/|types\/|package\.json$|README\.md$|LICENSE$)/.test(path),
    ),
  ).toEqual([]);
  const strangers = /\.(test|spec|testing)\b|fixture|\.safetensors$|golden|tokenizer\.json|dist\/demo|\.map$/;
  expect(paths.filter((path) => strangers.test(path))).toEqual([]);
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  expect(manifest.dependencies ?? {}).toEqual({});
  const targets = Object.values<string | Record<string, string>>(manifest.exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
  for (const target of [...targets, ...Object.values<string>(manifest.bin)]) {
    expect(paths).toContain(target.replace(/^\.\//, ''));
  }
  expect(paths).toContain('dist/THIRD-PARTY-LICENCES.txt');
  for (const path of paths) {
    const text = await readFile(join(app, 'node_modules/atomoe', path), 'utf8');
    for (const secret of [root, tmpdir() + '/', 'file://']) expect(text, path).not.toContain(secret);
  }
  const installed = join(app, 'node_modules/atomoe/dist');
  const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  const core = gzipSize(installed, 'index.js');
  const element = gzipSize(installed, 'element/define.js');
  const worker = gzipSize(installed, 'worker.js');
  const code = paths.filter((path) => path.endsWith('.js')).length;
  console.log(
    `packed: ${packed.files.length} files (${code} of code), ${kB(packed.sizeBytes)}; gzip: core ${kB(core.sizeBytes)}, ` +
      `element ${kB(element.sizeBytes)} (${kB(gzipSize(installed, 'element/define.js', core.files).sizeBytes)} of its own), its worker ${kB(worker.sizeBytes)}`,
  );
  // Entry, engine, and what the element shares with it; the rest comes when it is needed.
  expect(core.files.length).toBe(3);
  expect(element.files.length).toBe(3);
  // Words of packed models, families, routers, experts and formats: in the worker, which is one script, and not in the core.
  for (const later of [
    'recordStrideBytes',
    'block_sparse_moe',
    'shared_expert_gate',
    'top_groups',
    'gate_scales',
    'page_experts',
    'nibbles',
  ]) {
    expect(await wordsIn(installed, worker.files, later)).toBeGreaterThan(0);
    expect(await wordsIn(installed, core.files, later), later).toBe(0);
  }
  // One script, for bundlers whose workers may have no more; its copy for those that forget it is loaded by nobody else. It
  // has all families, formats and containers, the grammar and kernels of described routers (33 kB), hooks
  // (7 kB), strategies of decoding (8 kB), grids of IQ formats (9 kB), formats of calls (6 kB), and tensors of requests, ternary
  // experts and routers before their layers (6 kB).
  expect(worker.files).toEqual(['worker.js']);
  expect(worker.sizeBytes).toBeLessThan(367_500);
  expect(element.files.filter((name) => name.includes('inline'))).toEqual([]);
  // The three elements of their own, and their share of the core: what starts workers and opens files.
  const elements = gzipSize(installed, 'element/define.js', core.files);
  expect(elements.sizeBytes).toBeLessThan(25_000);
  expect(element.sizeBytes).toBeLessThan(44_000);
  // Loaded with the first reply that may be Markdown, and not in what every page loads.
  expect(await wordsIn(installed, element.files, 'blockquote')).toBe(0);
  // A guard against a dependency that slips in: shaders and all, the core is 95.5 kB,
  // 2 kB of it what calls hooks, traces and strategies, which are loaded with the first reply that has some.
  expect(core.sizeBytes).toBeLessThan(96_500);
  // What a model adds to it: its family, its router and its experts, and nothing that only other models need.
  for (const [name, mostBytes] of [
    ['olmoe', 5000], // with what families share: reading positions and the usual keys
    ['gated', 13_000],
    ['atomic', 15_000],
    ['q4_0', 3000],
  ] as const) {
    const path = paths.find((each) => each.startsWith(`dist/chunks/${name}-`)) ?? '';
    const added = gzipSize(installed, path.replace('dist/', ''), core.files);
    expect(added.sizeBytes, name).toBeGreaterThan(0);
    expect(added.sizeBytes, name).toBeLessThan(mostBytes);
  }
});

/** How often files say a word. */
async function wordsIn(folder: string, files: readonly string[], word: string): Promise<number> {
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.join('').split(word).length - 1;
}

test('every public entry imports in plain Node', async () => {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  // With React and Vue: examples.spec.ts.
  const withPeers = ['./package.json', './react', './vue'];
  const entries = Object.keys(exports).filter((name) => !withPeers.includes(name));
  expect(entries.length).toBeGreaterThanOrEqual(5);
  const imports = entries.map((name) => `await import('atomoe${name.slice(1)}');`).join('\n');
  await writeFile(join(app, 'imports.js'), `${imports}\nconsole.log('imported');`);
  expect(await run(process.execPath, ['imports.js'], app)).toBe('imported\n');
});

test('Node runs a model from the disk, and the program runs', async () => {
  const { prompt, continuation } = await goldenContinuation(model);
  const tell = (folder: string, options: object) => `
    import { createEngine } from 'atomoe';
    import { nodeFolder } from 'atomoe/node';
    const model = await nodeFolder(${JSON.stringify(folder)});
    const engine = await createEngine({ device: 'cpu', model, ...${JSON.stringify(options)} });
    const prompt = ${JSON.stringify(prompt)};
    for await (const event of engine.session().generate(prompt, { temperature: 0, maxTokens: 3 })) {
      if (event.kind === 'done') process.stdout.write(event.text);
    }
    engine.dispose();`;
  await writeFile(join(app, 'tell.js'), tell(model, {}));
  const told = await run(process.execPath, ['tell.js'], app);
  expect(told.length).toBeGreaterThan(3);
  expect(continuation.startsWith(told)).toBe(true);
  const program = join(app, 'node_modules/.bin/atomoe');
  // Formats that are loaded with the model that is in them: quantised now, or when it was packed.
  await writeFile(join(app, 'tell.js'), tell(model, { quantize: 'q8_0' }));
  expect((await run(process.execPath, ['tell.js'], app)).length).toBeGreaterThan(3);
  const packs = join(folder, 'pack-q4_0');
  await run(program, ['pack', model, packs, '--quantize', 'q4_0'], app);
  await writeFile(join(app, 'tell.js'), tell(packs, {}));
  expect((await run(process.execPath, ['tell.js'], app)).length).toBeGreaterThan(3);
  // Without the optional package there is no GPU in Node, and a sentence that says so.
  await writeFile(
    join(app, 'gpu.js'),
    "import { createEngine } from 'atomoe';\nawait createEngine({ device: 'gpu' }).catch(({ code, message }) => console.log(code, message));",
  );
  expect(await run(process.execPath, ['gpu.js'], app)).toMatch(
    /^no-webgpu .*"webgpu" is not installed; run npm install webgpu/,
  );
  // With it, Dawn is found without another word.
  await symlink(join(root, 'node_modules/webgpu'), join(app, 'node_modules/webgpu'), 'junction');
  const adapter =
    "import { createEngine } from 'atomoe';\nconst engine = await createEngine({ device: 'gpu' });\nconsole.log(engine.adapter.name);\nengine.dispose();";
  await writeFile(join(app, 'gpu.js'), adapter);
  expect(await run(process.execPath, ['gpu.js'], app)).toMatch(/\w/);
  expect(await run(program, ['--version'], app)).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await run(program, ['inspect', model], app)).toContain('omnimoe');
});

test('one script tag from another host and one element tell a story', async ({ page }) => {
  const { prompt } = await goldenContinuation(model);
  const library = join(app, 'node_modules/atomoe/');
  const host = await serve({ '/atomoe/': library, '/model/': model }, { 'access-control-allow-origin': '*' });
  const site = join(folder, 'site');
  await mkdir(site);
  await writeFile(
    join(site, 'index.html'),
    `<!doctype html><title>A page of somebody else</title>
     <script type="module" src="${host.url}/atomoe/dist/element/define.js"></script>
     <atomoe-chat model="${host.url}/model/" tuning="off"></atomoe-chat>`,
  );
  const server = await serve({ '/': site });
  try {
    await page.goto(server.url);
    const chat = page.locator('atomoe-chat');
    await chat.getByRole('button', { name: 'Load the model' }).click(PATIENCE);
    await chat.getByRole('textbox').fill(prompt);
    await expect(chat.getByRole('button', { name: 'Send' })).toBeEnabled(PATIENCE);
    await chat.getByRole('textbox').press('Enter');
    const story = chat.getByRole('article');
    await expect
      .poll(async () => (await story.textContent())?.length ?? 0, PATIENCE)
      .toBeGreaterThan(prompt.length + 8);
    await chat.getByRole('textbox').press('Escape');
    await expect(story).not.toHaveAttribute('aria-busy', 'true', PATIENCE);
  } finally {
    await server.close();
    await host.close();
  }
});
