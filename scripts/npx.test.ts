/** The README's command lines, in a checkout where `npm install` was the last thing that happened. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const COPIED = [
  'bin',
  'scripts',
  'shaders',
  'simd',
  'src',
  'package.json',
  'package-lock.json',
  'vite.lib.config.ts',
];
const LINKED = ['demo', 'fixtures', 'node_modules'];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'atomoe-clone-'));
  // No dist/: nothing was built. Times are new, so the program is built here and not found.
  for (const name of COPIED) cpSync(join(root, name), join(folder, 'clone', name), { recursive: true });
  for (const name of LINKED) symlinkSync(join(root, name), join(folder, 'clone', name), 'junction');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a line with no registry, no cache, and no consent to install: what is not here, cannot run. */
function runLine(
  line: string,
  isEnough = (_: string): boolean => false,
): Promise<{ code: number; out: string }> {
  const env = {
    ...process.env,
    npm_config_registry: 'http://127.0.0.1:9',
    npm_config_offline: 'true',
    npm_config_yes: 'false',
    npm_config_cache: join(folder, 'npm'),
    npm_config_update_notifier: 'false',
    XDG_CACHE_HOME: join(folder, 'cache'),
  };
  const child = spawn('bash', ['-c', `exec ${line}`], { cwd: join(folder, 'clone'), env, detached: true });
  let [out, errors] = ['', ''];
  child.stderr.on('data', (bytes) => (errors += bytes));
  child.stdout.on('data', (bytes) => {
    out += bytes;
    if (isEnough(out) && child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  });
  return new Promise((done) => {
    child.on('close', (status) => done({ code: status ?? 130, out: `${out}${errors}` }));
  });
}

const LINES = /^npx atomoe .*$/gm;
const [run = '', inspect = '', verify = ''] =
  readFileSync(join(root, 'README.md'), 'utf8').match(LINES) ?? [];

test('npx atomoe runs this checkout, built or not', async () => {
  expect((await runLine(inspect)).out).toContain('632 tensors');
  const { code, out } = await runLine(verify);
  expect(out).toContain('all 2 checks are good');
  expect(code).toBe(0);
  expect(readdirSync(join(folder, 'clone'))).not.toContain('dist');
});

test('npx atomoe run finds Dawn and tells a story until it is stopped', { tags: ['full'] }, async () => {
  const { out, code } = await runLine(run, (text) => text.length > 20);
  expect(out).toMatch(/^[^]{20}/);
  expect(code).toBe(130);
});
