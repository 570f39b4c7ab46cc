/** Keeps which kernels are fastest on this machine's adapters, so that they are timed once and not at every start. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type { TuningStore } from '../engine/index.ts';

type Tunings = Readonly<Record<string, Readonly<Record<string, string>>>>; // by adapter, then by choice

/** Where programs of this user may keep what they can make again. */
function cacheFile(): string {
  const { XDG_CACHE_HOME: cache, LOCALAPPDATA: local } = process.env;
  return join(cache || local || join(homedir(), '.cache'), 'atomoe', 'tuning.json');
}

/** A store of tunings in a file of the user's cache folder. */
export function fileTuning(path: string = cacheFile()): TuningStore {
  const readAll = async (): Promise<Tunings> => {
    const text = await readFile(path, 'utf8').catch(() => '{}');
    try {
      return JSON.parse(text) as Tunings;
    } catch {
      return {}; // written by a program that was killed: measured anew
    }
  };
  return {
    async read(adapter) {
      return new Map(Object.entries((await readAll())[adapter] ?? {}));
    },
    async write(adapter, tuning) {
      const all: Tunings = { ...(await readAll()), [adapter]: Object.fromEntries(tuning) };
      await mkdir(dirname(path), { recursive: true });
      const next = `${path}.${process.pid}`;
      await writeFile(next, JSON.stringify(all, null, 1));
      await rename(next, path); // all or nothing, even if another process writes
    },
  };
}
