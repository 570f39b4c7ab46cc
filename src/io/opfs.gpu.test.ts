/** The disk cache over a real origin private file system. It needs no GPU, only a browser with dedicated workers. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cdp } from 'vitest/browser';
import { cachedFolder } from './cache/disk-cache.ts';
import { deleteModel, estimateStorage, listModels, persist } from './cache/model-store.ts';
import { openOpfs } from './opfs.ts';
import { origin, randomBytes } from './testing/origin.ts';
import type { Call, Commands, Reply, Setup } from './testing/opfs-worker.ts';

const NAME = 'model.safetensors';
const SIZE_BYTES = 5_000_000; // more than an extent
const body = randomBytes(SIZE_BYTES, 1);
const label = 'https://models.example/toy/';

let storage = '';
let tests = 0;
const workers: Worker[] = [];

beforeEach(() => {
  storage = `atomoe-test-${++tests}`;
});
afterEach(async () => {
  for (const worker of workers.splice(0)) worker.terminate();
  const root = await navigator.storage.getDirectory();
  // The lock of a worker that was ended takes a moment to go.
  await expect
    .poll(() =>
      root.removeEntry(storage, { recursive: true }).then(
        () => 'gone',
        ({ name }: DOMException) => (name === 'NotFoundError' ? 'gone' : name),
      ),
    )
    .toBe('gone');
});

/** A worker that obeys `opfs-worker.ts`'s commands. */
function start() {
  const worker = new Worker(new URL('./testing/opfs-worker.ts', import.meta.url), { type: 'module' });
  workers.push(worker);
  let id = 0;
  return {
    end: () => worker.terminate(),
    call<Name extends keyof Commands>(name: Name, ...args: Parameters<Commands[Name]>) {
      const call: Call = { id: id++, name, args };
      return new Promise<Awaited<ReturnType<Commands[Name]>>>((resolve, reject) => {
        worker.addEventListener('error', ({ message }) => reject(new Error(message)), { once: true });
        worker.addEventListener('message', function listen({ data }: MessageEvent<Reply>) {
          if (data.id !== call.id) return;
          worker.removeEventListener('message', listen);
          if ('error' in data)
            reject(Object.assign(new Error(data.error.message), { code: data.error.code }));
          else resolve(data.result as Awaited<ReturnType<Commands[Name]>>);
        });
        worker.postMessage(call);
      });
    },
  };
}

function setup(changes: Partial<Setup> = {}): Setup {
  return { storage, label, sizeBytes: SIZE_BYTES, seed: 1, ...changes };
}

function expectSame(actual: Uint8Array, begin: number, end: number): void {
  expect(actual.length).toBe(end - begin);
  expect(actual.findIndex((byte, i) => byte !== body[begin + i])).toBe(-1);
}

describe('in a dedicated worker', () => {
  test('what was read is there for the next worker, without the source', async () => {
    const first = start();
    expect(await first.call('open', setup())).toMatchObject({
      isReadOnly: false,
      why: undefined,
      storedBytes: 0,
    });
    expectSame(await first.call('read', 1000, 2000), 1000, 2000);
    expectSame(await first.call('read', 0, SIZE_BYTES), 0, SIZE_BYTES);
    expect(await first.call('reads')).toEqual([
      [1000, 1000],
      [0, 1000],
      [2000, SIZE_BYTES - 2000],
    ]);
    await first.call('dispose');
    first.end();

    const second = start();
    const status = await second.call('open', setup({ isOffline: true }));
    expect(status).toMatchObject({ isReadOnly: false, storedBytes: SIZE_BYTES, totalBytes: SIZE_BYTES });
    expectSame(await second.call('read', 0, SIZE_BYTES), 0, SIZE_BYTES);
    expectSame(await second.call('read', 4_194_000, 4_200_000), 4_194_000, 4_200_000);
    expect(await second.call('flush')).toMatchObject({ hitBytes: SIZE_BYTES + 6000, missBytes: 0 });
  });

  test('a worker that is ended lets go of the lock, and loses nothing that was flushed', async () => {
    const first = start();
    await first.call('open', setup());
    await first.call('read', 0, 1000);
    await first.call('flush');
    first.end();
    await expect
      .poll(async () => {
        const { isReadOnly, storedBytes } = await start().call('open', setup());
        return { isReadOnly, storedBytes };
      })
      .toEqual({ isReadOnly: false, storedBytes: 1000 });
  });

  test('damage on the disk is found', async () => {
    const first = start();
    const { key } = await first.call('open', setup());
    await first.call('read', 0, 1000);
    await first.call('dispose');
    let directory = await (await navigator.storage.getDirectory()).getDirectoryHandle(storage);
    for await (const name of directory.keys()) directory = await directory.getDirectoryHandle(name);
    directory = await directory.getDirectoryHandle(key);
    const data = await directory.getFileHandle('0.bin');
    const writable = await data.createWritable({ keepExistingData: true });
    await writable.write({ type: 'write', position: 500, data: new Uint8Array([body[500]! ^ 1]) });
    await writable.close();
    await first.call('open', setup());
    expectSame(await first.call('read', 0, 1000), 0, 1000);
    expect(await first.call('reads')).toEqual([[0, 1000]]);
  });
});

describe('beside a worker that holds the model', () => {
  test('another worker reads what is stored, while more is written, and writes nothing', async () => {
    const [first, second] = [start(), start()];
    await first.call('open', setup());
    await first.call('read', 0, 1_000_000);
    await first.call('flush');
    const status = await second.call('open', setup());
    expect(status).toMatchObject({
      isReadOnly: true,
      why: { code: 'storage-locked' },
      storedBytes: 1_000_000,
    });
    const writing = (async () => {
      for (let begin = 1_000_000; begin < SIZE_BYTES; begin += 500_000) {
        await first.call('read', begin, begin + 500_000);
        await first.call('flush');
      }
    })();
    for (let i = 0; i < 10; i++) expectSame(await second.call('read', 0, 1_000_000), 0, 1_000_000);
    await writing;
    expectSame(await second.call('read', 900_000, 1_100_000), 900_000, 1_100_000);
    expect((await second.call('reads')).at(-1)).toEqual([1_000_000, 100_000]);
    expect(await second.call('flush')).toMatchObject({ writtenBytes: 0 });
  });

  test('it cannot be deleted, from a window or a worker, until it is closed', async () => {
    const [first, second] = [start(), start()];
    const { key } = await first.call('open', setup());
    await first.call('read', 0, 1000);
    await first.call('flush');
    await expect(second.call('remove', storage, key)).rejects.toMatchObject({
      code: 'storage-locked',
      message: expect.stringMatching(/close the other tabs/),
    });
    const opfs = await openOpfs(storage);
    await expect(deleteModel(opfs, key)).rejects.toMatchObject({ code: 'storage-locked' });
    expectSame(await first.call('read', 0, 1000), 0, 1000);
    await first.call('dispose');
    await deleteModel(opfs, key);
    expect(await second.call('list', storage)).toEqual([]);
  });
});

describe('in a window', () => {
  test('models are listed and read, not written', async () => {
    const worker = start();
    const { key } = await worker.call('open', setup());
    await worker.call('read', 0, 1000);
    await worker.call('flush');
    const opfs = await openOpfs(storage);
    const [model, ...others] = await listModels(opfs);
    expect(others).toEqual([]);
    expect(model).toMatchObject({ key, label, storedBytes: 1000, totalBytes: SIZE_BYTES, isComplete: false });
    expect(model!.usedAtMs).toBeGreaterThan(Date.now() - 60_000);

    const source = origin({ [NAME]: body }, label);
    const cached = await cachedFolder(source, opfs);
    expect(cached.cache.status).toMatchObject({ isReadOnly: true, why: { code: 'storage-unavailable' } });
    const file = (await cached.open(NAME))!;
    expectSame(await file.read(0, 2000), 0, 2000);
    expect(source.reads).toEqual([[NAME, 1000, 1000]]);
    await cached.dispose();

    const { usageBytes, quotaBytes } = await estimateStorage(opfs);
    expect(usageBytes).toBeGreaterThan(0);
    expect(quotaBytes).toBeGreaterThan(usageBytes);
    expect(typeof (await persist(opfs))).toBe('boolean');
  });

  test('looking leaves nothing behind', async () => {
    const opfs = await openOpfs(storage);
    await (await cachedFolder(origin({ [NAME]: body }, label), opfs)).dispose();
    expect(await listModels(opfs)).toEqual([]);
  });
});

describe('a quota', () => {
  const { origin: site } = location;
  // Stored bytes are packed: a range at the end of a file takes no more room than one at its beginning.
  test('that is reached ends the writing, and nothing else', async () => {
    const worker = start();
    await worker.call('open', setup());
    await worker.call('read', SIZE_BYTES - 1000, SIZE_BYTES);
    await worker.call('flush');
    const { usageBytes } = await estimateStorage(await openOpfs(storage));
    expect(usageBytes).toBeLessThan(100_000);
    await cdp().send('Storage.overrideQuotaForOrigin', { origin: site, quotaSize: usageBytes + 1_500_000 });
    try {
      await worker.call('read', 0, 1_000_000);
      await worker.call('flush');
      await worker.call('read', 1_000_000, 2_000_000);
      const status = await worker.call('flush');
      expect(status).toMatchObject({
        isReadOnly: true,
        why: { code: 'storage-full' },
        storedBytes: 1_001_000,
      });
      expectSame(await worker.call('read', 0, SIZE_BYTES), 0, SIZE_BYTES);
      await worker.call('dispose');
    } finally {
      await cdp().send('Storage.overrideQuotaForOrigin', { origin: site });
    }
    expect(await worker.call('open', setup())).toMatchObject({ isReadOnly: false, storedBytes: 1_001_000 });
    await worker.call('reads');
    expectSame(await worker.call('read', 0, 1_000_000), 0, 1_000_000);
    expect(await worker.call('reads')).toEqual([]);
  });

  test('storage that the user clears under an open cache', async () => {
    const worker = start();
    await worker.call('open', setup());
    await worker.call('read', 0, 1000);
    await worker.call('flush');
    await worker.call('read', 0, 1000);
    await cdp().send('Storage.clearDataForOrigin', { origin: site, storageTypes: 'file_systems' });
    expectSame(await worker.call('read', 0, 2000), 0, 2000);
    expectSame(await worker.call('read', 0, 3000), 0, 3000);
    const status = await worker.call('flush');
    expect(status).toMatchObject({ isReadOnly: true, why: { code: 'storage-failed' }, storedBytes: 0 });
    await worker.call('dispose');
    expect(await worker.call('open', setup())).toMatchObject({ isReadOnly: false, storedBytes: 0 });
  });
});
