import { Buffer } from 'node:buffer';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Extents } from './extents.ts';
import { encodeRecord } from './records.ts';
import type { HeadRecord } from './records.ts';
import { cachedFolder, modelKey } from './disk-cache.ts';
import type { CachedFolder } from './disk-cache.ts';
import { httpFolder } from '../http.ts';
import { deleteModel, estimateStorage, listModels, persist } from './model-store.ts';
import { openNodeStorage } from '../node-storage.ts';
import type { FolderSource } from '../source.ts';
import { noStorage, StorageFault } from '../storage.ts';
import type { DiskStorage, StoredFile } from '../storage.ts';
import { origin, randomBytes, randomNumbers } from '../testing/origin.ts';
import type { Origin } from '../testing/origin.ts';

const NAME = 'model.safetensors';
const body = randomBytes(100_000, 1);
const config = new TextEncoder().encode('{"layers": 2}');

let root = '';
const opened: CachedFolder[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'atomoe-cache-'));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder.dispose();
  await rm(root, { recursive: true });
});

async function open(folder: FolderSource, storage?: DiskStorage): Promise<CachedFolder> {
  const cached = await cachedFolder(folder, storage ?? (await openNodeStorage(root)));
  opened.push(cached);
  return cached;
}

function toy(): Origin {
  return origin({ [NAME]: body, 'config.json': config });
}

/** What a new page would see: the cache closed, and opened over a source that has counted nothing yet. */
async function reload(cached: CachedFolder, source: Origin): Promise<CachedFolder> {
  await cached.dispose();
  source.reads.length = 0;
  source.opens = 0;
  return open(source);
}

async function read(cached: FolderSource, begin: number, end: number, name = NAME): Promise<Uint8Array> {
  return (await cached.open(name))!.read(begin, end - begin);
}

async function expectBytes(cached: FolderSource, begin: number, end: number): Promise<void> {
  expectSame(await read(cached, begin, end), body.subarray(begin, end));
}

/** As toEqual, which takes seconds for megabytes. */
function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(actual, wanted) !== 0) expect(actual).toEqual(wanted);
}

/** Paths of the model's data files, and of its journal. */
async function filesOf(cached: CachedFolder): Promise<{ data: string[]; journal: string }> {
  const folder = join(root, cached.cache.status.key);
  const names = await readdir(folder);
  const paths = (isWanted: (name: string) => boolean) => names.filter(isWanted).map((it) => join(folder, it));
  return {
    data: paths((name) => name.endsWith('.bin')),
    journal: paths((name) => name.startsWith('index-'))[0]!,
  };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('succeeded'),
    (reason: Error) => reason,
  );
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('extents', () => {
  const extent = (offsetBytes: number, sizeBytes: number) => {
    const state = { bytes: undefined, at: 0, hash: '', isVerified: false, isDropped: false };
    return { offsetBytes, sizeBytes, ...state };
  };
  const shape = (extents: Extents, begin: number, size: number) =>
    extents.cut(begin, size).map((piece) => [piece.offsetBytes, piece.sizeBytes, piece.extent !== undefined]);

  test('cut a range into what is there and what is missing', () => {
    const extents = new Extents();
    for (const offset of [40, 10, 20]) extents.add(extent(offset, 10));
    expect(shape(extents, 0, 60)).toEqual([
      [0, 10, false],
      [10, 10, true],
      [20, 10, true],
      [30, 10, false],
      [40, 10, true],
      [50, 10, false],
    ]);
    expect(shape(extents, 15, 10)).toEqual([
      [15, 5, true],
      [20, 5, true],
    ]);
    expect(shape(extents, 30, 10)).toEqual([[30, 10, false]]);
    expect(shape(extents, 15, 0)).toEqual([]);
    expect(extents.storedBytes).toBe(30);
  });

  test('a later one takes the place of those that it overlaps', () => {
    const extents = new Extents();
    const old = [extent(0, 10), extent(10, 10), extent(20, 10)];
    for (const it of old) extents.add(it);
    extents.add(extent(15, 10));
    expect(old.map((it) => it.isDropped)).toEqual([false, true, true]);
    expect(shape(extents, 0, 30)).toEqual([
      [0, 10, true],
      [10, 5, false],
      [15, 10, true],
      [25, 5, false],
    ]);
    expect(extents.storedBytes).toBe(20);
  });
});

describe('reading', () => {
  test('only the gaps come from the source, before and after a reload', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 100, 200);
    await expectBytes(cached, 300, 400);
    await expectBytes(cached, 50, 450);
    expect(source.reads.map((it) => it.slice(1))).toEqual([
      [100, 100],
      [300, 100],
      [50, 50],
      [200, 100],
      [400, 50],
    ]);
    cached = await reload(cached, source);
    await expectBytes(cached, 50, 450);
    await expectBytes(cached, 120, 130);
    expect(source.reads).toEqual([]);
    await expectBytes(cached, 440, 460);
    expect(source.reads).toEqual([[NAME, 450, 10]]);
    expect(cached.cache.status).toMatchObject({
      hitBytes: 420,
      missBytes: 10,
      isReadOnly: false,
      storedBytes: 410,
    });
    await cached.cache.flush();
    expect(cached.cache.status).toMatchObject({ writtenBytes: 10, totalBytes: body.length, why: undefined });
  });

  test('random ranges equal the file, before and after reloads', async () => {
    const next = randomNumbers(7);
    const source = toy();
    let cached = await open(source);
    for (let round = 0; round < 4; round++) {
      const readOne = async () => {
        const begin = next() % body.length;
        const size = next() % Math.min(1 + (next() % 20_000), body.length - begin + 1);
        await expectBytes(cached, begin, begin + size);
      };
      for (let i = 0; i < 15; i++) await Promise.all([readOne(), readOne(), readOne()]);
      cached = await reload(cached, source);
    }
    await expectBytes(cached, 0, body.length);
    const fetched = source.reads.reduce((sum, [, , size]) => sum + size, 0);
    expect(cached.cache.status).toMatchObject({ missBytes: fetched, storedBytes: body.length });
    expect(cached.cache.status.hitBytes + fetched).toBe(body.length);
  });

  test('what is longer than an extent is stored in several', async () => {
    const large = randomBytes(9 * 2 ** 20, 3);
    const source = origin({ [NAME]: large });
    let cached = await open(source);
    const seen: number[] = [];
    await (await cached.open(NAME))!.read(0, large.length, { onProgress: (done) => seen.push(done) });
    expect(seen.at(-1)).toBe(large.length);
    cached = await reload(cached, source);
    expectSame(await read(cached, 5_000_000, 9_000_000), large.subarray(5_000_000, 9_000_000));
    expect(source.reads).toEqual([]);
  });

  test('a range past the end, a bad name, an abort, and a closed file are refused', async () => {
    const cached = await open(toy());
    const file = (await cached.open(NAME))!;
    expect(await failure(file.read(body.length - 1, 2))).toMatchObject({ code: 'bad-file' });
    expect(await failure(cached.open('../x'))).toMatchObject({ code: 'bad-file' });
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    expect(await failure(file.read(0, 1, { signal }))).toBe(reason);
    expect(await failure(cached.open(NAME, { signal }))).toBe(reason);
    file.dispose?.();
    expect(await failure(file.read(0, 1))).toMatchObject({ code: 'disposed' });
    await cached.dispose();
    expect(await failure(cached.open(NAME))).toMatchObject({ code: 'disposed' });
  });

  test('errors of the source pass through unchanged, and what it gives too little of is found out', async () => {
    const source = toy();
    const cached = await open(source);
    const file = (await cached.open(NAME))!;
    const broken = new Error('broken');
    source.gate = () => Promise.reject(broken);
    expect(await failure(file.read(0, 10))).toBe(broken);
    source.gate = undefined;
    expect(await file.read(0, 10)).toEqual(body.slice(0, 10));

    const short: FolderSource = {
      label: 'short',
      open: async (name) => ({ name, sizeBytes: 100, validator: 'v', read: async () => new Uint8Array(3) }),
    };
    expect(await failure(read(await open(short), 0, 10))).toMatchObject({ code: 'bad-file' });
  });

  test('what is read belongs to the reader', async () => {
    const cached = await open(toy());
    const file = (await cached.open(NAME))!;
    (await file.read(0, 100)).fill(1);
    (await file.read(0, 100)).fill(2);
    await cached.cache.flush();
    (await file.read(0, 100)).fill(3);
    expect(await file.read(0, 100)).toEqual(body.slice(0, 100));
  });
});

describe('reads at the same time', () => {
  test('are joined where they overlap', async () => {
    const source = toy();
    const cached = await open(source);
    const file = (await cached.open(NAME))!;
    const gate = deferred();
    source.gate = () => gate.promise;
    const reads = [file.read(100, 100), file.read(100, 100), file.read(150, 100), file.read(50, 300)];
    gate.resolve();
    const [first, second, third, fourth] = await Promise.all(reads);
    expect(first).toEqual(body.slice(100, 200));
    expect(second).toEqual(body.slice(100, 200));
    expect(third).toEqual(body.slice(150, 250));
    expect(fourth).toEqual(body.slice(50, 350));
    expect(source.reads.map((it) => it.slice(1))).toEqual([
      [100, 100],
      [200, 50],
      [50, 50],
      [250, 100],
    ]);
    expect(cached.cache.status.missBytes).toBe(300);
  });

  test('an abort of one does not break the other; of all it ends the read', async () => {
    const source = toy();
    const cached = await open(source);
    const file = (await cached.open(NAME))!;
    const gate = deferred();
    let seen: AbortSignal | undefined;
    source.gate = (signal) => {
      seen = signal;
      return gate.promise;
    };
    const controller = new AbortController();
    const reason = new Error('enough');
    const leaving = failure(file.read(0, 100, { signal: controller.signal }));
    const staying = file.read(0, 100);
    controller.abort(reason);
    expect(await leaving).toBe(reason);
    expect(seen!.aborted).toBe(false);
    gate.resolve();
    expect(await staying).toEqual(body.slice(0, 100));

    source.gate = (signal) => {
      seen = signal;
      return new Promise(() => {});
    };
    const controllers = [new AbortController(), new AbortController()];
    const both = controllers.map(({ signal }) => failure(file.read(500, 100, { signal })));
    for (const it of controllers) it.abort(reason);
    expect(await Promise.all(both)).toEqual([reason, reason]);
    expect(seen!.aborted).toBe(true);
    source.gate = undefined;
    expect(await file.read(500, 100)).toEqual(body.slice(500, 600));
  });
});

describe('without the source', () => {
  test('a stored model opens: sizes, bytes, and what is not there', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, body.length);
    await read(cached, 0, config.length, 'config.json');
    expect(await cached.open('generation_config.json')).toBeUndefined();
    cached = await reload(cached, source);
    source.isOffline = true;
    expect(await cached.open('generation_config.json')).toBeUndefined();
    expect((await cached.open(NAME))!).toMatchObject({ name: NAME, sizeBytes: body.length });
    await expectBytes(cached, 0, body.length);
    expect(await read(cached, 0, config.length, 'config.json')).toEqual(config);
    expect(source.opens).toBe(1); // each try of a dead network may take seconds
    expect(await failure(cached.open('tokenizer.json'))).toMatchObject({ code: 'network' });
  });

  test('who has it all asks with little patience, who has a part with much', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, 100);
    await read(cached, 0, config.length, 'config.json');
    expect(await cached.open('generation_config.json')).toBeUndefined();
    expect(source.patience).toBeUndefined();
    cached = await reload(cached, source);
    const patience: unknown[] = [];
    for (const name of ['config.json', NAME, 'generation_config.json', 'tokenizer.json']) {
      await cached.open(name);
      patience.push(source.patience);
    }
    expect(patience).toEqual(['short', undefined, 'short', undefined]);
  });

  test('missing bytes are its error, until it comes back', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, 100);
    cached = await reload(cached, source);
    source.isOffline = true;
    const file = (await cached.open(NAME))!;
    expect(await failure(file.read(50, 100))).toMatchObject({ code: 'network' });
    expect(await file.read(0, 100)).toEqual(body.slice(0, 100));
    source.isOffline = false;
    expect(await file.read(50, 100)).toEqual(body.slice(50, 150));
    expect(source.reads).toEqual([[NAME, 100, 50]]);
  });

  test('a source that comes back with another version is found out', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, 100);
    cached = await reload(cached, source);
    source.isOffline = true;
    const file = (await cached.open(NAME))!;
    source.isOffline = false;
    source.files.set(NAME, { bytes: body.slice(1), validator: '"2"' });
    const error = await failure(file.read(50, 100));
    expect(error).toMatchObject({ code: 'integrity' });
    expect(error.message).toMatch(
      /changed since .* 99999 bytes of version "2", 100000 bytes of version "1" were/,
    );
    expect(await read(cached, 0, 100)).toEqual(body.slice(1, 101));
  });
});

describe('another version at the source', () => {
  const other = randomBytes(100_000, 2);

  const versions: [string, { bytes: Uint8Array; validator?: string }][] = [
    ['validator', { bytes: other, validator: '"2"' }],
    ['size', { bytes: other.slice(0, 99_999), validator: '"1"' }],
    ['beginning, where it tells no versions', { bytes: other }],
  ];
  test.each(versions)('is seen by its %s', async (_what, version) => {
    const source = toy();
    if (version.validator === undefined) source.files.set(NAME, { bytes: body });
    let cached = await open(source);
    await expectBytes(cached, 0, 1000);
    await read(cached, 0, config.length, 'config.json');
    cached = await reload(cached, source);
    source.files.set(NAME, version);
    expect(await read(cached, 0, 1000)).toEqual(other.slice(0, 1000));
    cached = await reload(cached, source);
    source.isOffline = true;
    expect(await read(cached, 0, 1000)).toEqual(other.slice(0, 1000));
    expect(await read(cached, 0, config.length, 'config.json')).toEqual(config);
    expect((await filesOf(cached)).data).toHaveLength(2);
  });

  test('leaves files that are open alone, and is not mixed with them', async () => {
    const source = toy();
    const cached = await open(source);
    const old = (await cached.open(NAME))!;
    await old.read(0, 1000);
    source.files.set(NAME, { bytes: other, validator: '"2"' });
    const fresh = (await cached.open(NAME))!;
    expect(await fresh.read(500, 1000)).toEqual(other.slice(500, 1500));
    expect(await old.read(0, 2000)).toEqual(body.slice(0, 2000));
    await cached.cache.flush();
    expect(await fresh.read(0, 2000)).toEqual(other.slice(0, 2000));
  });

  test('a file that vanished there is absent, and one that appeared is there', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, 100);
    expect(await cached.open('extra')).toBeUndefined();
    source.files.delete(NAME);
    source.files.set('extra', { bytes: config, validator: 'x' });
    cached = await reload(cached, source);
    expect(await cached.open(NAME)).toBeUndefined();
    expect(await read(cached, 0, 5, 'extra')).toEqual(config.slice(0, 5));
    cached = await reload(cached, source);
    source.isOffline = true;
    expect(await cached.open(NAME)).toBeUndefined();
    expect(await read(cached, 0, 5, 'extra')).toEqual(config.slice(0, 5));
  });
});

describe('damage', () => {
  /** Three extents of 1000 bytes, each with a flush of its own. */
  async function threeExtents(
    source: Origin,
  ): Promise<{ cached: CachedFolder; data: string; journal: string }> {
    const cached = await open(source);
    for (const begin of [0, 1000, 2000]) {
      await expectBytes(cached, begin, begin + 1000);
      await cached.cache.flush();
    }
    const { data, journal } = await filesOf(cached);
    await cached.dispose();
    source.reads.length = 0;
    return { cached, data: data[0]!, journal };
  }

  test('a journal cut anywhere in its last record loses that record only', async () => {
    const source = toy();
    const { journal, data } = await threeExtents(source);
    const whole = await readFile(journal);
    const stored = await readFile(data);
    const lastLine = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (let size = lastLine; size < whole.length; size++) {
      await writeFile(journal, whole.subarray(0, size));
      await writeFile(data, stored);
      source.reads.length = 0;
      const cached = await open(source);
      expect(cached.cache.status.storedBytes).toBe(2000);
      await expectBytes(cached, 0, 3000);
      expect(source.reads).toEqual([[NAME, 2000, 1000]]);
      await cached.dispose();
    }
    const cached = await open(source);
    expect(cached.cache.status.storedBytes).toBe(3000);
  });

  test('a journal damaged anywhere never gives wrong bytes, and is written again', async () => {
    const source = toy();
    const { journal } = await threeExtents(source);
    const whole = await readFile(journal);
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = new Uint8Array(whole);
      damaged[at]! ^= 0x20;
      await writeFile(journal, damaged);
      const cached = await open(source);
      expect(cached.cache.status).toMatchObject({ isReadOnly: false });
      await expectBytes(cached, 0, 3000);
      await cached.dispose();
    }
  });

  test('an extent with a damaged byte is read again from the source, it alone', async () => {
    const source = toy();
    const { data } = await threeExtents(source);
    const stored = await readFile(data);
    stored[1500]! ^= 1;
    await writeFile(data, stored);
    let cached = await open(source);
    await expectBytes(cached, 1990, 2010); // of the damaged one, but not the damaged byte
    expect(source.reads).toEqual([[NAME, 1990, 10]]);
    await expectBytes(cached, 0, 3000);
    expect(source.reads.slice(1)).toEqual([[NAME, 1000, 990]]);
    cached = await reload(cached, source);
    await expectBytes(cached, 0, 3000);
    expect(source.reads).toEqual([]);
  });

  test.each([
    ['deleted', (path: string) => rm(path)],
    ['cut short', (path: string) => truncate(path, 1500)],
    ['emptied', (path: string) => truncate(path, 0)],
  ])('a data file that was %s between sessions', async (_what, harm) => {
    const source = toy();
    const { data } = await threeExtents(source);
    await harm(data);
    let cached = await open(source);
    await expectBytes(cached, 0, 3000);
    expect(source.reads.length).toBeGreaterThan(0);
    cached = await reload(cached, source);
    await expectBytes(cached, 0, 3000);
    expect(source.reads).toEqual([]);
  });

  test('a data file that vanishes under an open cache', async () => {
    const source = toy();
    await threeExtents(source);
    const storage = await openNodeStorage(root);
    let isGone = false;
    const failing = withFiles(storage, (name, file) => ({
      ...file,
      read: async (into, offsetBytes) => {
        if (isGone && name === '0.bin') throw new StorageFault('gone', 'NotFoundError');
        return file.read(into, offsetBytes);
      },
    }));
    let cached = await open(source, failing);
    await expectBytes(cached, 0, 1000);
    expect(source.reads).toEqual([]);
    isGone = true;
    await expectBytes(cached, 0, 2000);
    expect(source.reads.map((it) => it.slice(1))).toEqual([
      [0, 1000],
      [1000, 1000],
    ]);
    await cached.cache.flush();
    expect(cached.cache.status).toMatchObject({ storedBytes: 2000, isReadOnly: false });
    cached = await reload(cached, source);
    await expectBytes(cached, 0, 2000);
    expect(source.reads).toEqual([]);
    expect((await filesOf(cached)).data.map((path) => path.slice(-5))).toEqual(['1.bin']);
  });

  test('a data file that vanishes while it is written', async () => {
    const source = toy();
    const storage = await openNodeStorage(root);
    const failing = withFiles(storage, (name, file) => ({
      ...file,
      write: async (bytes, offsetBytes) => {
        if (name === '0.bin') throw new StorageFault('gone', 'InvalidStateError');
        await file.write(bytes, offsetBytes);
      },
    }));
    let cached = await open(source, failing);
    for (let round = 0; round < 2; round++) {
      await expectBytes(cached, 0, 1000);
      await cached.cache.flush();
    }
    expect(cached.cache.status).toMatchObject({ storedBytes: 1000, missBytes: 2000, why: undefined });
    cached = await reload(cached, source);
    await expectBytes(cached, 0, 1000);
    expect(source.reads).toEqual([]);
  });

  test('bytes are flushed before the journal says that they are there', async () => {
    const done: string[] = [];
    const storage = withFiles(await openNodeStorage(root), (name, file) => ({
      ...file,
      write: async (bytes, offsetBytes) => {
        await file.write(bytes, offsetBytes);
        done.push(`write ${name}`);
      },
      flush: async () => {
        await file.flush();
        done.push(`flush ${name}`);
      },
    }));
    const cached = await open(toy(), storage);
    done.length = 0;
    await expectBytes(cached, 0, 1000);
    await read(cached, 0, 5, 'config.json');
    await cached.cache.flush();
    const payload = ['write 0.bin', 'write 1.bin', 'flush 0.bin', 'flush 1.bin'];
    expect(done).toEqual([...payload, 'write index-0', 'flush index-0']);
  });

  test('many sessions do not make the journal longer, and a rewrite that was interrupted loses nothing', async () => {
    const source = toy();
    const { cached } = await threeExtents(source);
    const names = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const again = await open(source);
      await again.dispose();
      names.add((await filesOf(cached)).journal.slice(-7));
    }
    expect([...names].sort()).toEqual(['index-0', 'index-1']);
    const { journal } = await filesOf(cached);
    const whole = await readFile(journal);
    expect(whole.toString().split('\n').length).toBeLessThan(30);

    // The other one, newer, but without its last line.
    const { head, lines } = splitJournal(whole);
    const newer = join(journal, '..', journal.endsWith('0') ? 'index-1' : 'index-0');
    const count = lines.length;
    const text =
      encodeRecord({ ...head, generation: head.generation + 1, count }) + lines.slice(0, -1).join('\n');
    await writeFile(newer, text);
    const again = await open(source);
    expect(again.cache.status.storedBytes).toBe(3000);
    await expectBytes(again, 0, 3000);
    expect(source.reads).toEqual([]);
  });
});

function splitJournal(bytes: Buffer) {
  const [first = '', ...lines] = bytes.toString().trimEnd().split('\n');
  const head: HeadRecord = JSON.parse(first.slice(9));
  return { head, lines };
}

/** A storage whose files are changed by `wrap`. */
function withFiles(storage: DiskStorage, wrap: (name: string, file: StoredFile) => StoredFile): DiskStorage {
  const bound = (file: StoredFile): StoredFile => ({
    size: () => file.size(),
    read: (into, offset) => file.read(into, offset),
    write: (bytes, offset) => file.write(bytes, offset),
    truncate: (size) => file.truncate(size),
    flush: () => file.flush(),
    close: () => file.close(),
  });
  const openWrapped = async (directory: string, name: string, access: 'read' | 'write') => {
    const file =
      access === 'read'
        ? await storage.open(directory, name, 'read')
        : await storage.open(directory, name, 'write');
    return file && wrap(name, bound(file));
  };
  return { ...storage, open: openWrapped as DiskStorage['open'] };
}

describe('storage that gives out', () => {
  test('a full disk ends the writing and nothing else; what was written before stays', async () => {
    const source = toy();
    let roomBytes = 2500;
    const small = withFiles(await openNodeStorage(root), (name, file) => ({
      ...file,
      write: async (bytes, offset) => {
        if (name.endsWith('.bin') && (roomBytes -= bytes.byteLength) < 0) {
          throw new StorageFault('full', 'QuotaExceededError');
        }
        await file.write(bytes, offset);
      },
    }));
    let cached = await open(source, small);
    for (let begin = 0; begin < 5000; begin += 1000) await expectBytes(cached, begin, begin + 1000);
    await cached.cache.flush();
    await expectBytes(cached, 0, 6000);
    const why = { code: 'storage-full', message: 'QuotaExceededError' };
    const { status } = cached.cache;
    expect(status).toMatchObject({ isReadOnly: true, why, storedBytes: 2000, writtenBytes: 2000 });
    cached = await reload(cached, source);
    await expectBytes(cached, 0, 2000);
    expect(source.reads).toEqual([]);
  });

  test.skipIf(!existsSync('/dev/full'))('a disk that is really full', async () => {
    const source = toy();
    let cached = await open(source);
    await expectBytes(cached, 0, 1000);
    const { key } = cached.cache.status;
    cached = await reload(cached, source);
    await symlink('/dev/full', join(root, key, '1.bin')); // where the next file's bytes would go
    await read(cached, 0, 5, 'config.json');
    await cached.cache.flush();
    expect(cached.cache.status.why).toMatchObject({
      code: 'storage-full',
      message: expect.stringMatching(/ENOSPC/),
    });
    await expectBytes(cached, 0, 2000);
    expect(await read(cached, 0, 5, 'config.json')).toEqual(config.slice(0, 5));
  });

  test('no storage at all passes everything through, and says why', async () => {
    const source = toy();
    const cached = await open(source, noStorage('a private window'));
    await expectBytes(cached, 0, 1000);
    await expectBytes(cached, 0, 1000);
    expect(source.reads).toHaveLength(2);
    expect(cached.cache.status).toMatchObject({
      isReadOnly: true,
      why: { code: 'storage-unavailable', message: 'a private window' },
      storedBytes: 0,
      missBytes: 2000,
    });
    expect(await listModels(noStorage('none'))).toEqual([]);
    expect(await persist(noStorage('none'))).toBe(false);
  });

  test('storage that fails in every call is none', async () => {
    const fail = () => Promise.reject(new StorageFault('failed', 'EIO'));
    const broken = withFiles(await openNodeStorage(root), (_name, file) => ({
      ...file,
      size: fail,
      read: fail,
      write: fail,
      truncate: fail,
      flush: fail,
    }));
    const cached = await open(toy(), broken);
    await expectBytes(cached, 0, 1000);
    expect(cached.cache.status).toMatchObject({ isReadOnly: true, why: { code: 'storage-failed' } });
  });

  test('memory does not fill when the disk is slow', async () => {
    const large = randomBytes(2 ** 22, 5);
    const source = origin({ [NAME]: large });
    const gate = deferred();
    let waitingBytes = 0;
    const slow = withFiles(await openNodeStorage(root), (name, file) => ({
      ...file,
      write: async (bytes, offset) => {
        if (name.endsWith('.bin')) await gate.promise;
        await file.write(bytes, offset);
      },
    }));
    const cached = await open(manyTimes(source, 40), slow);
    const file = (await cached.open(NAME))!;
    let isDone = false;
    const reading = (async () => {
      for (let i = 0; i < 40; i++) {
        await file.read(i * 2 ** 22, 2 ** 22);
        waitingBytes += 2 ** 22;
      }
      isDone = true;
    })();
    await expect.poll(() => waitingBytes, { timeout: 20_000 }).toBe(64 * 2 ** 20);
    expect(isDone).toBe(false);
    gate.resolve();
    await reading;
  });
});

/** A folder whose one file is a file of the source, over and over. */
function manyTimes(source: Origin, times: number): FolderSource {
  return {
    label: source.label,
    async open(name) {
      const file = (await source.open(name))!;
      const read = file.read.bind(file);
      return {
        ...file,
        sizeBytes: file.sizeBytes * times,
        read: (offset, size, options) => read(offset % file.sizeBytes, size, options),
      };
    },
  };
}

describe('two at a time', () => {
  test('the second reads what the first has stored, and writes nothing', async () => {
    const source = toy();
    const first = await open(source);
    await expectBytes(first, 0, 1000);
    await first.cache.flush();
    source.reads.length = 0;
    const second = await open(source);
    expect(second.cache.status).toMatchObject({
      isReadOnly: true,
      why: { code: 'storage-locked', message: expect.stringContaining(`process ${process.pid}`) },
      storedBytes: 1000,
    });
    await expectBytes(second, 0, 2000);
    expect(source.reads).toEqual([[NAME, 1000, 1000]]);
    await second.dispose();
    await first.dispose();
    expect((await open(source)).cache.status).toMatchObject({ isReadOnly: false, storedBytes: 1000 });
  });

  test('one that waits for the first writes when it has gone, and sees what it wrote', async () => {
    const first = await open(toy());
    await expectBytes(first, 0, 1000);
    const waiting = cachedFolder(toy(), await openNodeStorage(root), { lockTimeoutMs: 60_000 });
    await first.dispose();
    const second = await waiting;
    opened.push(second);
    expect(second.cache.status).toMatchObject({ isReadOnly: false, why: undefined, storedBytes: 1000 });
  });

  test('the second never gets bytes that the first has put in the place of others', async () => {
    const source = toy();
    const first = await open(source);
    await expectBytes(first, 0, 1000);
    await first.cache.flush();
    const second = await open(source);
    const file = (await second.open(NAME))!;
    expect(await file.read(0, 1000)).toEqual(body.slice(0, 1000));
    const [data = ''] = (await filesOf(first)).data;
    await writeFile(data, new Uint8Array(1000));
    expect(await file.read(0, 1000)).toEqual(body.slice(0, 1000));
    await rm(data);
    expect(await file.read(0, 1000)).toEqual(body.slice(0, 1000));
  });
});

describe('stored models', () => {
  test('are listed, the last used first, and deleted', async () => {
    const storage = await openNodeStorage(root);
    expect(await listModels(storage)).toEqual([]);
    const before = Date.now();
    const toyModel = await open(toy());
    await expectBytes(toyModel, 0, body.length);
    await read(toyModel, 0, config.length, 'config.json');
    await toyModel.dispose();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const other = await open(origin({ [NAME]: body }, 'https://models.example/other/'));
    await expectBytes(other, 0, 1000);
    await other.cache.flush();

    const [first, second, ...rest] = await listModels(storage);
    expect(rest).toEqual([]);
    expect(first).toEqual({
      key: await modelKey('https://models.example/other/'),
      label: 'https://models.example/other/',
      storedBytes: 1000,
      totalBytes: body.length,
      isComplete: false,
      usedAtMs: expect.any(Number),
    });
    const allBytes = body.length + config.length;
    expect(second).toMatchObject({ storedBytes: allBytes, totalBytes: allBytes, isComplete: true });
    expect(second!.usedAtMs).toBeGreaterThanOrEqual(before);
    const { usageBytes, quotaBytes } = await estimateStorage(storage);
    expect(usageBytes).toBeGreaterThan(allBytes);
    expect(quotaBytes).toBeGreaterThan(usageBytes);

    const locked = await failure(deleteModel(storage, first!.key));
    expect(locked).toMatchObject({ code: 'storage-locked' });
    expect(locked.message).toMatch(/could not be deleted: it is in use .*; close the other tabs/);
    await other.dispose();
    await deleteModel(storage, first!.key);
    await deleteModel(storage, first!.key);
    expect((await listModels(storage)).map(({ key }) => key)).toEqual([second!.key]);
  });

  test('one whose journal is lost can still be seen and deleted', async () => {
    const cached = await open(toy());
    await expectBytes(cached, 0, 1000);
    await cached.dispose();
    await rm((await filesOf(cached)).journal);
    const storage = await openNodeStorage(root);
    const [model] = await listModels(storage);
    expect(model).toMatchObject({ label: '', storedBytes: 1000, isComplete: false });
    await deleteModel(storage, model!.key);
    expect(await readdir(root)).toEqual([]);
  });

  test('an identity of its own lets a signed address change', async () => {
    const storage = await openNodeStorage(root);
    const source = (label: string) => origin({ [NAME]: body }, label);
    const first = await cachedFolder(source('https://h.example/m?sig=1'), storage, { identity: 'm' });
    await expectBytes(first, 0, 1000);
    await first.dispose();
    const second = await cachedFolder(source('https://h.example/m?sig=2'), storage, { identity: 'm' });
    opened.push(second);
    expect(second.cache.status.storedBytes).toBe(1000);
    expect(second.label).toBe('https://h.example/m?sig=2');
    // Stores of before know models by their whole address: it is not shown.
    expect((await listModels(storage)).map(({ label }) => label)).toEqual(['https://h.example/m']);
  });
});

test('a model that came over HTTP opens when its server is gone, and not when it refuses', async () => {
  const label = 'https://models.example/toy/';
  let isDown = false;
  const fetch = async (url: string | URL | Request, init?: RequestInit) => {
    if (isDown) throw new TypeError('fetch failed');
    if (!String(url).endsWith(NAME)) return new Response(null, { status: 404 });
    const [, first = '0', last = '0'] =
      /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    const end = Math.min(Number(last) + 1, body.length);
    const headers = { 'content-range': `bytes ${first}-${end - 1}/${body.length}`, etag: '"1"' };
    return new Response(body.slice(Number(first), end), { status: 206, headers });
  };
  const source = () => httpFolder(label, { fetch, delay: async () => {} });
  const online = await open(source());
  await expectBytes(online, 0, body.length);
  expect(await online.open('config.json')).toBeUndefined();
  await online.dispose();
  isDown = true;
  const offline = await open(source());
  await expectBytes(offline, 0, body.length);
  expect(await offline.open('config.json')).toBeUndefined();
  expect(await failure(offline.open('tokenizer.json'))).toMatchObject({ code: 'network' });
});

test('a folder keeps its label and its entry', async () => {
  const source = { ...toy(), entry: 'layer.safetensors' };
  expect(await open(source)).toMatchObject({ label: source.label, entry: 'layer.safetensors' });
  expect('entry' in (await open(toy()))).toBe(false);
});

test.each([
  [{ etag: '"7"', 'last-modified': 'Sun, 22 Nov 2026 16:00:00 GMT' }, '"7"'],
  [{ 'last-modified': 'Sun, 22 Nov 2026 16:00:00 GMT' }, 'Sun, 22 Nov 2026 16:00:00 GMT'],
  [{}, undefined],
])('an HTTP file tells its version by what the server tells: %o', async (headers, validator) => {
  for (const status of [200, 206]) {
    const range = status === 206 ? { 'content-range': 'bytes 0-4/5' } : {};
    const fetch = async () => new Response(config.slice(0, 5), { status, headers: { ...headers, ...range } });
    const file = await httpFolder('https://models.example/toy/', { fetch }).open(NAME);
    expect(file!.validator).toBe(validator);
  }
});

test.each([
  ['another ETag', { etag: '"1"' }, { etag: '"2"' }, 'integrity'],
  [
    'another date',
    { 'last-modified': 'Sun, 22 Nov 2026' },
    { 'last-modified': 'Mon, 23 Nov 2026' },
    'integrity',
  ],
  ['a date where an ETag was', { etag: '"1"' }, { 'last-modified': 'Sun, 22 Nov 2026' }, undefined],
  ['nothing', { etag: '"1"' }, {}, undefined],
])('bytes that come over HTTP with %s', async (_what, first, later, code) => {
  let calls = 0;
  const fetch = async (_url: unknown, init?: RequestInit) => {
    const [begin = 0, last = 0] =
      (new Headers(init?.headers).get('range') ?? '').match(/\d+/g)?.map(Number) ?? [];
    const end = Math.min(last + 1, body.length);
    const headers = {
      'content-range': `bytes ${begin}-${end - 1}/${body.length}`,
      ...(calls++ ? later : first),
    };
    return new Response(body.slice(begin, end), { status: 206, headers: headers as Record<string, string> });
  };
  const cached = await open(httpFolder('https://models.example/toy/', { fetch }));
  const reading = read(cached, 90_000, 90_010);
  if (code === undefined) expectSame(await reading, body.subarray(90_000, 90_010));
  else expect(await failure(reading)).toMatchObject({ code });
  expect(cached.cache.status.storedBytes).toBe(code === undefined ? 10 : 0);
});
