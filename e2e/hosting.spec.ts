/** The lines of docs/hosting.md for nginx and Caddy, run by those servers where they are installed: a page of another origin reads a model. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'playwright/test';
import { freePort } from './free-port.ts';
import { goldenContinuation, root, serve, type Site } from './packed.ts';
import { FABLE } from './streaming-lab.ts';

test.describe.configure({ timeout: 180_000 });

/** How a server is started with the lines of the documents. */
interface Host {
  /** @returns the configuration around the lines, in which `/srv/www` is `folder` already */
  readonly config: (lines: string, port: number, folder: string) => string;
  readonly args: (configFile: string) => readonly string[];
}

const HOSTS: Readonly<Record<string, Host>> = {
  nginx: {
    config: (lines, port, folder) => `
      daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr;
      events {}
      http {
        access_log off;
        ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n')}
        server { listen 127.0.0.1:${port}; ${lines} }
      }`,
    args: (file) => ['-c', file],
  },
  caddy: {
    config: (lines, port) => `{\nadmin off\n}\n${lines.replace('your.host {', `http://127.0.0.1:${port} {`)}`,
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};

/** What a page finds out. */
interface Told {
  readonly text: string;
  readonly missing: readonly unknown[]; // status and Cache-Control
  readonly asked: number; // status behind a preflight
}

/** Reads a model, and asks what browsers ask before. */
const PAGE = `<!doctype html><title>page</title><script type="module">
  import { createEngine } from '/dist/index.js';
  globalThis.tell = async (url, prompt) => {
    const engine = await createEngine({ device: 'cpu' });
    await engine.load(url, { contextTokens: 128 });
    let text = '';
    const reply = engine.session().generate(prompt, { maxTokens: 8, temperature: 0 });
    for await (const event of reply) if (event.kind === 'token') text += event.text;
    const missing = await fetch(url + 'nothing.json');
    // Two ranges at once are asked for first.
    const asked = await fetch(url + 'config.json', { headers: { range: 'bytes=0-3,5-6' } });
    return { text, missing: [missing.status, missing.headers.get('cache-control')], asked: asked.status };
  };
  document.title = 'ready';
</script>`;

let folder: string;
let site: Site;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomoe-hosting-'));
  await chmod(folder, 0o755); // nginx reads as another user where root starts it
  await mkdir(join(folder, 'models'));
  await symlink(FABLE, join(folder, 'models/fable'), 'junction');
  await mkdir(join(folder, 'page'));
  await writeFile(join(folder, 'page/index.html'), PAGE);
  const isolated = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  };
  site = await serve({ '/dist/': join(root, 'dist'), '/': join(folder, 'page') }, isolated);
});

test.afterAll(async () => {
  await site.close();
  await rm(folder, { recursive: true });
});

for (const [name, { config, args }] of Object.entries(HOSTS)) {
  test(`${name}, with the lines of the documents`, async ({ page }) => {
    const isThere = !spawnSync(name, [name === 'nginx' ? '-v' : 'version']).error;
    test.skip(!isThere, `${name} is not installed`);
    const docs = await readFile(join(root, 'docs/hosting.md'), 'utf8');
    const lines = new RegExp(`\`\`\`${name}\n([^]*?)\`\`\``).exec(docs)?.[1] ?? '';
    const port = await freePort();
    const file = join(folder, `${name}.conf`);
    await writeFile(file, config(lines.replace('/srv/www', folder), port, folder));
    const server = spawn(name, args(file), { env: { ...process.env, HOME: folder }, stdio: 'ignore' });
    try {
      const url = `http://127.0.0.1:${port}/models/fable/`;
      await expect.poll(() => statusOf(url, server), { timeout: 30_000 }).toBe(200);
      const statuses = new Map<number, number>();
      page.on('response', (response) => {
        if (!response.url().startsWith(url)) return;
        statuses.set(response.status(), (statuses.get(response.status()) ?? 0) + 1);
      });
      await page.goto(site.url);
      await expect(page).toHaveTitle('ready');
      const { prompt, continuation } = await goldenContinuation(FABLE);
      const told = await page.evaluate(
        ([at, words]) =>
          (globalThis as unknown as { tell(...given: string[]): Promise<Told> }).tell(at, words),
        [url, prompt] as const,
      );
      expect(continuation.startsWith(told.text)).toBe(true);
      expect(told).toMatchObject({ missing: [404, null], asked: 206 });
      expect(statuses.get(206)).toBeGreaterThan(10);
    } finally {
      const ended = once(server, 'exit');
      server.kill();
      await ended;
    }
  });
}

/** Of the model's config; nothing while the server starts. */
async function statusOf(url: string, server: ChildProcess): Promise<number> {
  if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
  return fetch(`${url}config.json`).then(
    ({ status }) => status,
    () => 0,
  );
}
