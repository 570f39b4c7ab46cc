/**
 * Locks between processes, for Node, which has none that end with their process. Who wants a lock makes a file of its
 * own beside those of all others who want it, and only then looks who is there. Of two, the second to make its file
 * sees the first's: so it never happens that neither sees the other. Files are never taken over, and a name is never used twice, so no one
 * can remove a lock that is another's by now.
 *
 * A file's name says whose it is: process, when that began, and on which machine. One of a process that has ended
 * counts as none and is removed, though another process may have its number by now.
 */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, readlink, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { StorageFault } from './storage.ts';
import type { StorageLock } from './storage.ts';

/** Who holds a lock. */
export interface Holder {
  readonly pid: number;
  /** When the process began, as its system reports it; empty: it does not report it. */
  readonly start: string;
  /** The machine since it was switched on, and what numbers processes there; empty: it does not report it. */
  readonly machine: string;
}

/** Where only the clock can tell whether a holder is alive, it has to give a sign this often, and is dead after that. */
const SIGN_MS = 60_000;
const SILENT_MS = 3_600_000;

/** Who meets another that has no lock yet tries again: one of them will be alone. */
const ATTEMPTS = 40;
const MOST_WAIT_MS = 25;

/**
 * @param folder - of the lock files; there must be one
 * @param key - what is locked; a plain file name
 * @throws {StorageFault} locked - somebody holds it; what the file system throws
 */
export async function lockBetweenProcesses(folder: string, key: string): Promise<StorageLock> {
  const self = await thisProcess();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const path = join(folder, lockName(key, self));
    await writeFile(path, '', { flag: 'wx' });
    const others = await livingOthers(folder, key, path);
    if (others.length === 0) {
      await writeFile(path, HELD).catch(() => {}); // a hint: a full disk may have no room for it
      return holding(path);
    }
    await rm(path, { force: true });
    const holder = others.find(({ isHeld }) => isHeld);
    if (holder) {
      throw new StorageFault(
        'locked',
        `process ${holder.pid} writes there; if it does not, delete ${holder.path}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * MOST_WAIT_MS));
  }
  throw new StorageFault('locked', 'other processes want to write there at the same time');
}

const HELD = 'held';

/** A name that no one has had before. */
export function lockName(key: string, { pid, start, machine }: Holder): string {
  return [key, 'lock', pid, start, machine, randomBytes(8).toString('hex')].join('.');
}

function parseName(name: string, key: string): Holder | undefined {
  const [lock, pid, start = '', machine = ''] = name.startsWith(`${key}.`)
    ? name.slice(key.length + 1).split('.')
    : [];
  return lock === 'lock' && /^\d+$/.test(pid ?? '') ? { pid: Number(pid), start, machine } : undefined;
}

interface Other extends Holder {
  readonly path: string;
  readonly isHeld: boolean; // or it only wants to
}

/** All whose processes live; files of others are removed. */
async function livingOthers(folder: string, key: string, own: string): Promise<Other[]> {
  const others: Other[] = [];
  for (const name of await readdir(folder)) {
    const holder = parseName(name, key);
    const path = join(folder, name);
    if (!holder || path === own) continue;
    const found = await stat(path).catch(() => undefined);
    if (!found) continue; // it was let go
    if (await isLiving(holder, found)) {
      const text = await readFile(path, 'utf8').catch(() => '');
      others.push({ ...holder, path, isHeld: text === HELD });
    } else await rm(path, { force: true });
  }
  return others;
}

function holding(path: string): StorageLock {
  const sign = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, SIGN_MS);
  sign.unref();
  return {
    async release() {
      clearInterval(sign);
      await rm(path, { force: true });
    },
  };
}

async function isLiving(holder: Holder, { mtimeMs }: Stats): Promise<boolean> {
  const hasGivenSign = Math.abs(Date.now() - mtimeMs) < SILENT_MS;
  const self = await thisProcess();
  // Of another machine on a shared disk, or another container, nothing else is known.
  if (holder.machine !== self.machine) return hasGivenSign;
  if (holder.pid !== self.pid && !hasProcess(holder.pid)) return false;
  const start = await startOf(holder.pid);
  return start === '' || holder.start === '' ? hasGivenSign : start === holder.start;
}

function hasProcess(pid: number): boolean {
  try {
    process.kill(pid, 0); // asks, and does nothing
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

let self: Promise<Holder> | undefined;

function thisProcess(): Promise<Holder> {
  self ??= (async () => {
    const { pid } = process;
    return { pid, start: await startOf(pid), machine: await machine() };
  })();
  return self;
}

/**
 * When a process began: on Linux in ticks since the machine was switched on, elsewhere a date; 'ended' of one that has
 * and is only remembered; empty where it is not reported.
 */
async function startOf(pid: number): Promise<string> {
  const told = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (told !== undefined) {
    // The name in brackets may hold anything; state is the 3rd field of all, start the 22nd.
    const fields = told.slice(told.lastIndexOf(')') + 2).split(' ');
    return /^[ZX]$/.test(fields[0] ?? '') ? 'ended' : (fields[19] ?? '');
  }
  const date = await new Promise<string>((resolve) => {
    const options = { env: { LC_ALL: 'C', TZ: 'UTC' } };
    execFile('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], options, (error, out) =>
      resolve(error ? '' : out),
    );
  });
  return date.replaceAll(/[^a-z0-9]+/gi, '-');
}

async function machine(): Promise<string> {
  const none = () => '';
  const parts = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(none),
    readlink('/proc/self/ns/pid').catch(none),
  ]);
  // Where the system reports it, the machine's name says nothing more, and may change.
  const told = parts[0] === '' ? hostname() : parts.join(' ');
  return createHash('sha256').update(told).digest('hex').slice(0, 16);
}
