/** Locks between real processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { build } from 'vite';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { lockBetweenProcesses, lockName, type Holder } from './node-lock.ts';
import { StorageFault } from './storage.ts';

/** Locks, looks that no one else is inside, and unlocks, again and again; or holds the lock until it is killed. */
const PROGRAM = `
import { rm, writeFile } from 'node:fs/promises';
import { lockBetweenProcesses } from './lock.mjs';
const [folder, wanted] = process.argv.slice(2);
if (wanted === 'killed') {
  await lockBetweenProcesses(folder, 'key');
  process.send('held');
  setInterval(() => {}, 1000);
} else {
  let times = 0;
  while (times < Number(wanted)) {
    const lock = await lockBetweenProcesses(folder, 'key').catch((fault) => {
      if (fault.kind !== 'locked') throw fault;
    });
    if (!lock) continue;
    await writeFile(folder + '/inside', '', { flag: 'wx' });
    times += 1;
    await rm(folder + '/inside');
    await lock.release();
  }
}`;

let programs = '';
let folder = '';

beforeAll(async () => {
  programs = await mkdtemp(join(tmpdir(), 'atomoe-lock-'));
  const output = { entryFileNames: 'lock.mjs' };
  await build({
    configFile: false,
    logLevel: 'error',
    build: { ssr: join(import.meta.dirname, 'node-lock.ts'), outDir: programs, rolldownOptions: { output } },
  });
  await writeFile(join(programs, 'program.mjs'), PROGRAM);
});
afterAll(() => rm(programs, { recursive: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(programs, 'locks-'));
});

function start(wanted: string): ChildProcess {
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
  return spawn(process.execPath, [join(programs, 'program.mjs'), folder, wanted], { stdio: [...stdio] });
}

async function fault(): Promise<StorageFault> {
  const found: unknown = await lockBetweenProcesses(folder, 'key').then(
    () => expect.fail('was locked'),
    (reason: unknown) => reason,
  );
  expect(found).toBeInstanceOf(StorageFault);
  return found as StorageFault;
}

/** As this process would be named. */
async function own(): Promise<Holder> {
  const lock = await lockBetweenProcesses(folder, 'key');
  const [name = ''] = await readdir(folder);
  await lock.release();
  const [, , pid, begun = '', machine = ''] = name.split('.');
  return { pid: Number(pid), start: begun, machine };
}

test('two processes never hold one lock', async () => {
  const children = Array.from({ length: 4 }, () => start('20'));
  const ends = await Promise.all(children.map((child) => once(child, 'exit')));
  for (const [code] of ends) expect(code).toBe(0); // or somebody else was inside
  expect(await readdir(folder)).toEqual([]);
});

test('a lock is free once its process was killed, and not before', async () => {
  const child = start('killed');
  await once(child, 'message');
  expect(await fault()).toMatchObject({
    kind: 'locked',
    message: expect.stringContaining(`process ${child.pid}`),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await lockBetweenProcesses(folder, 'key')).release();
  expect(await readdir(folder)).toEqual([]);
});

test('a process locks once, and other things beside', async () => {
  const lock = await lockBetweenProcesses(folder, 'key');
  const other = await lockBetweenProcesses(folder, 'key.more');
  expect((await fault()).kind).toBe('locked');
  await lock.release();
  await (await lockBetweenProcesses(folder, 'key')).release();
  await other.release();
});

test.each<[string, (self: Holder) => Holder]>([
  ['that has ended', (self) => ({ ...self, pid: 2 ** 22 + 1 })],
  ['whose number is this one’s now', (self) => ({ ...self, start: '1' })],
  ['whose number another one has now', (self) => ({ ...self, pid: process.ppid, start: '1' })],
])('a lock of a process %s is none', async (_what, change) => {
  await writeFile(join(folder, lockName('key', change(await own()))), 'held');
  await (await lockBetweenProcesses(folder, 'key')).release();
  expect(await readdir(folder)).toEqual([]);
});

test('of another machine it is one while it gives signs', async () => {
  const path = join(folder, lockName('key', { ...(await own()), pid: 2 ** 22 + 1, machine: 'other' }));
  await writeFile(path, 'held');
  expect((await fault()).kind).toBe('locked');
  const before = new Date(Date.now() - 2 * 3_600_000);
  await utimes(path, before, before);
  await (await lockBetweenProcesses(folder, 'key')).release();
});
