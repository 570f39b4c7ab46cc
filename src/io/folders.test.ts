import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openCheckpoint } from '../containers/index.ts';
import { AtomoeError } from '../errors.ts';
import { absoluteUrl } from './absolute-url.ts';
import { blobFile, fileFolder } from './blob.ts';
import { openFolder } from './folder.ts';
import { memoryFile, memoryFolder } from './memory.ts';
import { nodeFolder } from './node-file.ts';
import { readExactly } from './read.ts';
import type { FolderSource } from './source.ts';

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 256);
let root = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'atomoe-'));
  await mkdir(join(root, 'sub'));
  await writeFile(join(root, 'model.safetensors'), bytes);
  await writeFile(join(root, 'sub', 'config.json'), '{}');
});
afterAll(() => rm(root, { recursive: true }));

/** A file as a directory picker gives it. */
function picked(path: string, contents: BlobPart): File {
  const file = new File([contents], path.slice(path.lastIndexOf('/') + 1));
  Object.defineProperty(file, 'webkitRelativePath', { value: path });
  return file;
}

const kinds: [string, () => FolderSource | Promise<FolderSource>][] = [
  ['memory', () => memoryFolder({ 'model.safetensors': bytes, 'sub/config.json': '{}' })],
  ['files', () => fileFolder([picked('toy/model.safetensors', bytes), picked('toy/sub/config.json', '{}')])],
  ['node', () => nodeFolder(root)],
];

describe.each(kinds)('%s folder', (_kind, make) => {
  test('opens what is there, and nothing else', async () => {
    const folder = await make();
    const file = (await folder.open('model.safetensors'))!;
    expect(file).toMatchObject({ name: 'model.safetensors', sizeBytes: 1000 });
    expect(await file.read(250, 10)).toEqual(bytes.slice(250, 260));
    expect(await file.read(0, 0)).toEqual(new Uint8Array(0));
    expect((await folder.open('sub/config.json'))!.sizeBytes).toBe(2);
    expect(await folder.open('config.json')).toBeUndefined();
    expect(await folder.open('sub')).toBeUndefined();
    expect(await folder.open('toString')).toBeUndefined();
  });

  test('refuses ranges past the end, names that leave it, and aborts', async () => {
    const folder = await make();
    const file = (await folder.open('model.safetensors'))!;
    await expect(file.read(999, 2)).rejects.toMatchObject({ name: 'AtomoeError', code: 'bad-file' });
    await expect(file.read(-1, 2)).rejects.toMatchObject({ code: 'bad-file' });
    await expect(folder.open('../model.safetensors')).rejects.toMatchObject({ code: 'bad-file' });
    const reason = new Error('enough');
    await expect(file.read(0, 1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(folder.open('model.safetensors', { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  test('what is read belongs to the reader', async () => {
    const file = (await (await make()).open('model.safetensors'))!;
    (await file.read(0, 10)).fill(99);
    expect(await file.read(0, 10)).toEqual(bytes.slice(0, 10));
  });
});

describe('dropped files', () => {
  test('a lone weight file is the entry; a conventional one needs no saying', () => {
    expect(fileFolder([new File([bytes], 'layer.safetensors')]).entry).toBe('layer.safetensors');
    const both = [new File([bytes], 'model.safetensors'), new File(['{}'], 'config.json')];
    expect(fileFolder(both).entry).toBeUndefined();
    expect(fileFolder([picked('toy/config.json', '{}')]).label).toBe('toy');
    expect(fileFolder([]).label).toBe('no files');
  });

  test('a file that was moved away is a typed error', async () => {
    const blob = new Blob([bytes]);
    blob.slice = () =>
      ({
        arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')),
      }) as unknown as Blob;
    const error: unknown = await blobFile('m.safetensors', blob)
      .read(0, 4)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AtomoeError);
    expect(error).toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/m.safetensors could not be read.*choose it again/),
    });
  });
});

describe('paths in Node', () => {
  test('a weight file opens its folder with the file as entry', async () => {
    const folder = await nodeFolder(join(root, 'model.safetensors'));
    expect(folder.entry).toBe('model.safetensors');
    expect((await folder.open('model.safetensors'))!.sizeBytes).toBe(1000);
  });

  test.each([
    ['nowhere', /nowhere does not exist; give a model folder/],
    ['sub/config.json', /config.json is neither a folder nor a weight file/],
    ['model.safetensors/x', /x does not exist/],
  ])('%s is refused', async (path, message) => {
    const error: unknown = await nodeFolder(join(root, path)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: 'AtomoeError',
      code: 'bad-file',
      message: expect.stringMatching(message),
    });
  });
});

describe('a folder that is confined', () => {
  const confined = async (name: string) => (await nodeFolder(root, { isConfined: true })).open(name);

  test('gives its own files, by links too, and no others', async () => {
    await writeFile(join(tmpdir(), 'atomoe-secret.json'), '{}');
    await symlink(join(root, 'model.safetensors'), join(root, 'inside.safetensors'));
    await symlink(join(tmpdir(), 'atomoe-secret.json'), join(root, 'tokenizer.json'));
    await symlink(tmpdir(), join(root, 'up'));
    expect((await confined('sub/config.json'))!.sizeBytes).toBe(2);
    expect(await (await confined('inside.safetensors'))!.read(0, 9)).toEqual(bytes.slice(0, 9));
    expect(await confined('nothing.json')).toBeUndefined();
    for (const name of ['tokenizer.json', 'up/atomoe-secret.json']) {
      await expect(confined(name)).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringMatching(
          /is a link to .*atomoe-secret.json, a file of the folder itself is wanted; copy/,
        ),
      });
      expect((await (await nodeFolder(root)).open(name))!.sizeBytes).toBe(2);
    }
    await rm(join(tmpdir(), 'atomoe-secret.json'));
  });

  test('a snapshot of the hub’s cache has the blobs beside it', async () => {
    const model = join(root, 'models--org--name');
    await mkdir(join(model, 'snapshots', 'abc'), { recursive: true });
    await mkdir(join(model, 'blobs'));
    await writeFile(join(model, 'blobs', '123'), '{}');
    await symlink('../../blobs/123', join(model, 'snapshots', 'abc', 'config.json'));
    const folder = await nodeFolder(join(model, 'snapshots', 'abc'), { isConfined: true });
    expect((await folder.open('config.json'))!.sizeBytes).toBe(2);
  });
});

describe('readExactly', () => {
  test('a source that gives too little is found out', async () => {
    const file = { ...memoryFile('m', bytes), read: async () => new Uint8Array(3) };
    await expect(readExactly(file, 0, 10)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(/m: 3 bytes came from offset 0, 10 were wanted/),
    });
  });

  test('an abort between chunks ends it', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const chunks: number[] = [];
    const reading = readExactly(memoryFile('m', bytes), 0, 1000, {
      chunkBytes: 100,
      signal: controller.signal,
      onProgress: (done) => {
        chunks.push(done);
        if (done === 300) controller.abort(reason);
      },
    });
    await expect(reading).rejects.toBe(reason);
    expect(chunks).toEqual([100, 200, 300]);
  });

  test('a size that no machine has is out-of-memory', async () => {
    const file = { ...memoryFile('m', bytes), sizeBytes: 2 ** 52 };
    await expect(readExactly(file, 0, 2 ** 51)).rejects.toMatchObject({ code: 'out-of-memory' });
  });
});

test('relative URLs are the page’s', () => {
  expect(fileFolder([new File([bytes], 'x.gguf')]).entry).toBe('x.gguf');
  expect(openFolder('models/toy/', { baseUrl: 'https://p.example/a/' }).label).toBe(
    'https://p.example/a/models/toy/',
  );
  expect(absoluteUrl('https://h.example/m/', undefined)).toBe('https://h.example/m/');
});

test('where a page or a worker is made of a blob, addresses are relative to its maker’s origin', () => {
  vi.stubGlobal('location', { href: 'blob:https://p.example/1234', origin: 'https://p.example' });
  expect(openFolder('models/toy/').label).toBe('https://p.example/models/toy/');
  vi.stubGlobal('location', { href: 'about:srcdoc', origin: 'null' });
  expect(() => openFolder('models/toy/')).toThrow(/for "models\/toy" of the Hugging Face hub give/);
  vi.unstubAllGlobals();
});

test.each([
  ['', 'empty'],
  [undefined, 'of type undefined'],
  [new URL('file:///models/toy/'), 'of type object'],
])('%o is no path of a folder', async (path, actual) => {
  await expect(nodeFolder(path as string)).rejects.toMatchObject({
    code: 'bad-input',
    message: `the path of the model is ${actual}; wanted that of a model folder or of a weight file, as text; give one`,
  });
});

test('a folder of several GGUF files says which there are; one in parts is one', async () => {
  const folder = join(root, 'quantisations');
  await mkdir(folder);
  const part = (index: number) => writeFile(join(folder, `b-0000${index}-of-00002.gguf`), bytes);
  await part(1);
  await part(2);
  expect(await nodeFolder(folder)).toMatchObject({ entry: 'b-00001-of-00002.gguf' });
  await writeFile(join(folder, 'a.GGUF'), bytes);
  const several = await nodeFolder(folder);
  expect(several.entry).toBeUndefined();
  await expect(openCheckpoint(several)).rejects.toMatchObject({
    code: 'bad-file',
    message: expect.stringMatching(
      /give the path of one of its GGUF files: a\.GGUF, b-00001-of-00002\.gguf$/,
    ),
  });
});
