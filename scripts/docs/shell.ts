/** Runs the command lines of the documents: the program as it is, npm's by what they name. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { type Block, root } from './blocks.ts';
import type { Host } from './host.ts';

/** What command lines of this checkout see: models, and files to judge by. */
const LINKED = ['demo', 'fixtures', 'README.md'];

/** Words that stand for something of the reader's. */
const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/\bMODEL\b/g, 'demo/public/models/fable-moe-12m'],
  [/\bURL\b/g, 'https://your.host/models/fable-omni-8m/'],
  [/"PROMPT"/g, '"Once upon a time"'],
];

/** Packages that may be installed: this one, and those that it may be used with. */
const PACKAGES = new Set(['atomoe', 'webgpu']);

/** A folder in which command lines run. */
export class Shell {
  readonly folder = mkdtempSync(join(tmpdir(), 'atomoe-docs-'));
  readonly #host: Host;

  /** @param files - written into the folder by name */
  constructor(host: Host, files: ReadonlyMap<string, string>) {
    this.#host = host;
    for (const name of LINKED) symlinkSync(join(root, name), join(this.folder, name), 'junction');
    for (const [name, text] of files) writeFileSync(join(this.folder, name), text);
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a block line by line; a server runs until the block's end. @throws {Error} a line failed */
  async run({ text }: Block): Promise<void> {
    const port = await freePort();
    const servers: ChildProcess[] = [];
    try {
      for (const line of linesOf(text)) {
        const shown = line.replaceAll('8080', String(port));
        if (shown.startsWith('npx atomoe serve ')) servers.push(await this.#serve(shown));
        else if (/^(npx atomoe|curl) /.test(shown)) await this.#finish(shown);
        else for (const part of shown.split('&&')) checkNpm(part.trim());
      }
    } finally {
      for (const server of servers) await stop(server);
    }
  }

  #start(line: string): ChildProcess {
    const program = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(root, 'bin/atomoe.js'))}`;
    let command = line.replace(/^npx atomoe/, program);
    for (const [word, meaning] of PLACEHOLDERS) command = command.replaceAll(word, meaning);
    command = command.replaceAll('https://your.host', this.#host.url).replace(/^curl/, 'curl -fsS');
    return spawn('bash', ['-c', `exec ${command}`], {
      cwd: this.folder,
      env: {
        ...process.env,
        HOME: this.folder,
        XDG_CACHE_HOME: join(this.folder, 'cache'),
        HF_ENDPOINT: this.#host.url,
      },
    });
  }

  async #finish(line: string): Promise<void> {
    const child = this.#start(line);
    const [code, said] = await ended(child);
    if (code !== 0) throw new Error(`${line}\nended with ${code}:\n${said}`);
  }

  /** Resolves once the server has said its address. */
  async #serve(line: string): Promise<ChildProcess> {
    const child = this.#start(line);
    const end = ended(child);
    const begin = new Promise<undefined>((listening) =>
      child.stdout?.once('data', () => listening(undefined)),
    );
    const early = await Promise.race([begin, end]);
    if (early) throw new Error(`${line}\nended with ${early[0]}:\n${early[1]}`);
    return child;
  }
}

/** Lines without comments; empty ones are left out. */
function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/\s+# .*$/, '').trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** The exit code, and all that was said. */
function ended(child: ChildProcess): Promise<[code: number | null, said: string]> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => (said += bytes));
  return new Promise((done) => child.on('close', (code) => done([code, said])));
}

async function stop(child: ChildProcess): Promise<void> {
  const end = ended(child);
  child.kill('SIGINT');
  await end;
}

/** What npm would run or install is there. @throws {Error} */
function checkNpm(line: string): void {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const [program, command = '', ...words] = line.split(/\s+/);
  const packages = words.filter((word) => !word.startsWith('-'));
  if (program === 'npm' && command === 'install' && packages.every((name) => PACKAGES.has(name))) return;
  const script = command === 'run' ? words[0] : command;
  if (program === 'npm' && script !== undefined && Object.hasOwn(manifest.scripts, script)) return;
  throw new Error(`no test knows how to run: ${line}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
