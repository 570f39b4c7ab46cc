/** Names and links of the hub, what it lists, and what is proposed. */
import { describe, expect, test } from 'vitest';
import { hubFileUrl, parseHubName } from './hub-name.ts';
import { hubAddress, readHubModel, type AddressOptions } from './hub.ts';
import { listedFolder } from './listed.ts';
import { memoryFolder } from './memory.ts';

describe('names', () => {
  test.each([
    ['allenai/OLMoE-1B-7B-0924', { repo: 'allenai/OLMoE-1B-7B-0924', revision: 'main', file: undefined }],
    ['a/b@v1.0', { repo: 'a/b', revision: 'v1.0', file: undefined }],
    ['a/b:x-Q4_K_M.gguf', { repo: 'a/b', revision: 'main', file: 'x-Q4_K_M.gguf' }],
    ['a/b@refs/pr/1:dir/x.gguf', { repo: 'a/b', revision: 'refs/pr/1', file: 'dir/x.gguf' }],
    ['https://huggingface.co/a/b', { repo: 'a/b', revision: 'main', file: undefined }],
    ['https://hf.co/a/b/tree/dev', { repo: 'a/b', revision: 'dev', file: undefined }],
    [
      'https://huggingface.co/a/b/blob/main/x%20y.gguf?download=true',
      { repo: 'a/b', revision: 'main', file: 'x y.gguf' },
    ],
    [
      'https://huggingface.co/a/b/blob/refs%2Fpr%2F1/50%.gguf',
      { repo: 'a/b', revision: 'refs/pr/1', file: '50%.gguf' },
    ],
    ['https://huggingface.co/a/b/resolve/main/q/x.gguf', { repo: 'a/b', revision: 'main', file: 'q/x.gguf' }],
  ])('%s', (text, wanted) => expect(parseHubName(text)).toEqual(wanted));

  test.each([
    'models/fable/',
    './models/fable',
    '/models/fable',
    'fable',
    'a/b/c',
    'models/fable.gguf',
    'https://example.org/a/b',
    'https://huggingface.co/a',
    'C:/models',
    '',
  ])('%j is none', (text) => expect(parseHubName(text)).toBeUndefined());

  test('their addresses, on any host', () => {
    const name = { repo: 'a/b', revision: 'refs/pr/1', file: 'q/x y.gguf' };
    expect(hubFileUrl(name)).toBe('https://huggingface.co/a/b/resolve/refs%2Fpr%2F1/q/x%20y.gguf');
    expect(hubFileUrl({ ...name, file: undefined }, 'https://mirror.test/')).toBe(
      'https://mirror.test/a/b/resolve/refs%2Fpr%2F1/',
    );
  });
});

/** A hub that lists these files. */
const hub = (files: Readonly<Record<string, number>>, license?: string) => ({
  hubUrl: 'https://hub.test',
  fetch: (async (url: string) => {
    if (!url.startsWith('https://hub.test/api/models/a/b/revision/main'))
      return new Response('', { status: 404 });
    const siblings = Object.entries(files).map(([rfilename, size]) => ({ rfilename, size }));
    return Response.json({ siblings, cardData: { license } });
  }) as typeof fetch,
});

test('entries of a list that are no files are passed over', async () => {
  const name = { repo: 'a/b', revision: 'main', file: undefined };
  const answer = () => Response.json({ siblings: [null, 5, {}, { rfilename: 'x.gguf' }], cardData: null });
  const { ggufFiles } = await readHubModel(name, { fetch: async () => answer() });
  expect(ggufFiles).toEqual([{ name: 'x.gguf', sizeBytes: 0, quantisation: undefined }]);
});

const addressOf = async (text: string, options?: AddressOptions) => (await hubAddress(text, options)).address;

describe('what a name means', () => {
  test('the folder of a checkpoint', async () => {
    const files = { 'config.json': 1, 'model-00001-of-00002.safetensors': 5, 'x-Q4_K_M.gguf': 2 };
    expect(await addressOf('a/b', hub(files))).toBe('https://hub.test/a/b/resolve/main/');
  });

  test('the GGUF file that suits most machines', async () => {
    const files = {
      'x-Q8_0.gguf': 8,
      'x-Q4_K_M.gguf': 4,
      'x-Q2_K.gguf': 2,
      'mmproj-F16.gguf': 1,
      'README.md': 1,
    };
    expect(await addressOf('a/b', hub(files))).toBe('https://hub.test/a/b/resolve/main/x-Q4_K_M.gguf');
    expect(await addressOf('a/b:x-Q8_0.gguf', hub(files))).toBe(
      'https://hub.test/a/b/resolve/main/x-Q8_0.gguf',
    );
  });

  test('a quantisation, or a folder, is found by its name; others are refused', async () => {
    const files = { 'x-Q8_0.gguf': 8, 'BF16/x-BF16-00001-of-00002.gguf': 4, 'x-Q4_K_M.gguf': 4 };
    expect(await addressOf('a/b:q8_0', hub(files))).toMatch(/x-Q8_0\.gguf$/);
    expect(await addressOf('https://huggingface.co/a/b/tree/main/BF16', hub(files))).toMatch(
      /BF16-00001-of-00002/,
    );
    await expect(hubAddress('a/b:Q5_K_M', hub(files))).rejects.toMatchObject({
      code: 'bad-file',
      message:
        'a/b has no weight file or quantisation "Q5_K_M"; it has Q8_0, BF16, Q4_K_M; choose one of them',
    });
  });

  test('the names in its folder are known, and others are not asked for', async () => {
    const files = { 'x-Q8_0.gguf': 8, 'BF16/x-BF16.gguf': 4, 'BF16/more.json': 1 };
    expect([...((await hubAddress('a/b', hub(files))).names ?? [])]).toEqual(Object.keys(files));
    const { names } = await hubAddress('a/b:bf16', hub(files));
    expect([...(names ?? [])]).toEqual(['x-BF16.gguf', 'more.json']);
    const asked: string[] = [];
    const folder = memoryFolder({ 'more.json': '{}' });
    const open: typeof folder.open = (name) => (asked.push(name), folder.open(name));
    const listed = listedFolder({ ...folder, open }, names);
    expect((await listed.open('more.json'))?.sizeBytes).toBe(2);
    expect(await listed.open('config.json')).toBeUndefined();
    expect(asked).toEqual(['more.json']);
    expect((await hubAddress('a/b:x.gguf', hub(files))).names).toBeUndefined();
  });

  test('parts count as one, and the licence is told', async () => {
    const files = {
      'Q8_0/x-Q8_0-00001-of-00002.gguf': 5,
      'Q8_0/x-Q8_0-00002-of-00002.gguf': 4,
      'x.IQ2_XXS.gguf': 1,
    };
    const found = await readHubModel(
      { repo: 'a/b', revision: 'main', file: undefined },
      hub(files, 'apache-2.0'),
    );
    expect(found.license).toBe('apache-2.0');
    expect(found.ggufFiles).toEqual([
      { name: 'Q8_0/x-Q8_0-00001-of-00002.gguf', sizeBytes: 9, quantisation: 'Q8_0' },
      { name: 'x.IQ2_XXS.gguf', sizeBytes: 1, quantisation: 'IQ2_XXS' },
    ]);
    expect(found.proposed?.quantisation).toBe('Q8_0'); // the other cannot be read
  });

  test('what is kept, where the hub does not answer: what is all there, then what was used last', async () => {
    const at = (path: string, isComplete = true) => ({
      label: `https://hub.test/a/b/resolve/main/${path}`,
      isComplete,
    });
    const models = [
      at('x-Q8_0.gguf', false),
      at('BF16/x%20y-BF16-00001-of-00002.gguf', false),
      at('x-Q2_K.gguf'),
      { label: 'https://hub.test/a/bc/resolve/main/', isComplete: true },
    ];
    const offline = { hubUrl: 'https://hub.test', fetch: () => Promise.reject(new TypeError('offline')) };
    const kept = async () => models;
    const resolve = async (text: string) =>
      (await addressOf(text, { ...offline, kept })).replace('https://hub.test/', '');
    expect(await resolve('a/b')).toBe('a/b/resolve/main/x-Q2_K.gguf');
    expect(await resolve('a/b:q8_0')).toBe('a/b/resolve/main/x-Q8_0.gguf');
    expect(await resolve('a/b:bf16')).toBe('a/b/resolve/main/BF16/x%20y-BF16-00001-of-00002.gguf');
    expect(await resolve('a/bc')).toBe('a/bc/resolve/main/');
    for (const name of ['a/c', 'a/b@v1', 'a/b:Q4_K_M']) {
      await expect(resolve(name)).rejects.toMatchObject({ code: 'network' });
    }
    const broken = { ...offline, kept: () => Promise.reject(new Error('no storage')) };
    await expect(hubAddress('a/b', broken)).rejects.toMatchObject({ code: 'network' });
    // A hub that answers is believed.
    expect(await addressOf('a/b', { ...hub({ 'x-Q8_0.gguf': 8 }), kept })).toMatch(/x-Q8_0\.gguf$/);
    await expect(hubAddress('c/d', { ...hub({}), kept })).rejects.toMatchObject({ code: 'bad-file' });
  });

  test.each([
    [{ license: 'other', license_name: 'tale-1.0' }, 'tale-1.0'],
    [{ license: 'other' }, 'other'],
    [{ license: ['mit', 'apache-2.0'] }, undefined],
    [null, undefined],
  ])('a licence %j is %s', async (cardData, license) => {
    const fetch = async () => Response.json({ siblings: [], cardData });
    const name = { repo: 'a/b', revision: 'main', file: undefined };
    expect((await readHubModel(name, { fetch })).license).toBe(license);
  });

  test('any other address stays as it is, and nobody is asked', async () => {
    const failing = { fetch: () => Promise.reject(new Error('asked')) };
    expect(await addressOf('https://example.org/a/b/', failing)).toBe('https://example.org/a/b/');
  });

  test.each([
    ['c/d', hub({}), 'bad-file', /has no model c\/d of revision main/],
    ['a/b', hub({ 'x-Q4_0_8_8.gguf': 1 }), 'bad-file', /^a\/b has Q4_0_8_8, none .* add ":" and/],
    ['a/b', hub({ 'README.md': 1 }), 'bad-file', /a\/b has neither config\.json .* nor a GGUF file/],
    ['a/b', { fetch: () => Promise.reject(new TypeError('offline')) }, 'network', /did not answer/],
    [
      'a/b',
      { fetch: async () => new Response('<html>') },
      'network',
      /something else than the files of a\/b/,
    ],
    ['a/b', { fetch: async () => new Response('', { status: 500 }) }, 'network', /refused .* \(500\)/],
  ])('%s: %#', async (text, options, code, message) => {
    await expect(hubAddress(text, options as never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});
