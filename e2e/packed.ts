/** The packed tarball, and what a stranger would do with it: install, serve, open. */
import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, posix, resolve } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

export const root = resolve(import.meta.dirname, '..');
const execute = promisify(execFile);

/** Variables as in a user's shell: Playwright sets NODE_ENV to `test`, with which Next.js builds nothing that runs. */
export function userEnvironment(): NodeJS.ProcessEnv {
  const { NODE_ENV: _, ...others } = process.env;
  return others;
}

/** Runs a program to its end; its output is part of the error when it fails. */
export async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { ...userEnvironment(), npm_config_audit: 'false', npm_config_fund: 'false' };
  const { stdout } = await execute(command, [...args], { cwd, env, maxBuffer: 2 ** 26 }).catch((error) => {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`, { cause: error });
  });
  return stdout;
}

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export interface Packed {
  readonly tarball: string;
  readonly files: readonly PackedFile[];
  readonly sizeBytes: number;
}

/** `npm pack`, as a publisher runs it: the library is built first. */
export async function pack(folder: string): Promise<Packed> {
  const out = await run('npm', ['pack', '--json', '--pack-destination', folder], root);
  // Build steps may have written to stdout before npm's own JSON.
  const [{ filename, files, size }] = JSON.parse(out.slice(out.search(/^\[/m)));
  return { tarball: join(folder, filename), files, sizeBytes: size };
}

/** Installs the tarball into a folder, with no registry at hand; Vite and TypeScript are this checkout's. */
export async function install(folder: string, { tarball }: Packed): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }');
  await run('npm', ['install', '--offline', '--no-package-lock', tarball], folder);
  for (const name of ['vite', 'typescript']) {
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction');
  }
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
};

/** Prefixes of paths, and the folders behind them. */
export type Mounts = Readonly<Record<string, string>>;

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** A plain static server, of the kind that knows no ranges. The first mount whose prefix fits serves the file. */
export async function serve(mounts: Mounts, headers: Readonly<Record<string, string>> = {}): Promise<Site> {
  const answer = async (path: string, response: ServerResponse) => {
    const [prefix, folder] = Object.entries(mounts).find(([start]) => path.startsWith(start)) ?? [];
    const name = path.slice(prefix?.length ?? 0) || 'index.html';
    const file = folder === undefined ? '' : join(folder, posix.normalize(name));
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) return void response.writeHead(404, headers).end();
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': found.size, ...headers });
    createReadStream(file).pipe(response);
  };
  const server = createServer((request, response) => {
    void answer(new URL(request.url ?? '/', 'http://localhost').pathname, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, close };
}

/**
 * A built module and all that it imports at once, with their gzip sizes; what it imports later is left out.
 *
 * @param loaded - files that are there already: neither they nor what only they import is counted
 */
export function gzipSize(
  folder: string,
  entry: string,
  loaded: readonly string[] = [],
): { files: string[]; sizeBytes: number } {
  const files = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file) || loaded.includes(file)) return;
    files.add(file);
    const code = readFileSync(join(folder, file), 'utf8');
    for (const [, path] of code.matchAll(/(?:from|import)\s*["'`](\.{1,2}\/[^"'`]+)["'`]/g)) {
      visit(posix.join(dirname(file), path!));
    }
  };
  visit(entry);
  const sizeBytes = [...files].reduce(
    (sum, file) => sum + gzipSync(readFileSync(join(folder, file))).byteLength,
    0,
  );
  return { files: [...files], sizeBytes };
}

/** How the story that greedy decoding tells goes on, from the model's golden file. */
export async function goldenContinuation(model: string): Promise<{ prompt: string; continuation: string }> {
  const golden = JSON.parse(await readFile(join(model, 'golden.json'), 'utf8'));
  const { prompt, greedy_text: text } = golden as { prompt: string; greedy_text: string };
  return { prompt, continuation: text.slice(prompt.length) };
}
