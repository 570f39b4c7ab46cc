/** Hosts that are not ours, over a real network stack. */
import { Buffer } from 'node:buffer';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { readJson, readText } from './json-file.ts';
import { cachedFolder } from './cache/disk-cache.ts';
import { httpFolder } from './http.ts';
import type { HttpOptions } from './http-request.ts';
import { openNodeStorage } from './node-storage.ts';
import type { FolderSource } from './source.ts';
import { host, pour, sendRange, type Answer } from './testing/host.ts';
import { randomBytes } from './testing/origin.ts';

const WEIGHTS = 'model.safetensors';
const body = randomBytes(1_000_000, 1);
const files = { 'config.json': '{"layers": 2}', [WEIGHTS]: body };
const noWait: HttpOptions = { delay: async () => {} };

async function failure(promise: Promise<unknown>): Promise<AtomoeError> {
  const error: unknown = await promise.then(
    () => expect.fail('succeeded'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

describe('a file that the host does not have', () => {
  const refusing =
    (status: number): Answer =>
    ({ bytes, response }) =>
      bytes ? false : void response.writeHead(status).end('<Error/>');

  test.each([401, 403, 405, 451])('is absent where it answers %i, if it gives others', async (status) => {
    await using server = await host(files, refusing(status));
    const folder = httpFolder(server.url, noWait);
    expect(await readJson(folder, 'config.json')).toEqual({ layers: 2 });
    expect(await readJson(folder, 'generation_config.json')).toBeUndefined();
    expect(await readText(folder, 'chat_template.jinja')).toBeUndefined();
    // A caller that cannot do without gets the error.
    expect((await failure(folder.open('shard.safetensors'))).message).toMatch(`answered ${status}`);
  });

  test('is no absence where it gives nothing at all', async () => {
    await using server = await host({}, refusing(403));
    const folder = httpFolder(server.url, noWait);
    const error = await failure(readJson(folder, 'generation_config.json'));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/answered 403.*headers: \{ authorization/);
  });

  test('is absent where a page may not see the answer, and not where nobody answers', async () => {
    let isDown = false;
    const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
      if (init.mode === 'no-cors' && !isDown) return new Response(null);
      if (!String(url).endsWith('/config.json') || isDown) throw new TypeError('Failed to fetch');
      return new Response('{}', { headers: { 'content-length': '2' } });
    };
    const folder = httpFolder('https://m.example/toy/', { ...noWait, fetch, origin: 'https://p.example' });
    expect(await readJson(folder, 'config.json')).toEqual({});
    expect(await readJson(folder, 'tokenizer_config.json')).toBeUndefined();
    expect((await failure(folder.open('shard.safetensors'))).code).toBe('cors');
    isDown = true;
    expect((await failure(readJson(folder, 'tokenizer_config.json'))).code).toBe('network');
  });

  test.each([
    ['<!doctype html><title>App</title>', {}],
    ['\ufeff \n<!-- built by x --><!DOCTYPE HTML>', { 'content-type': 'text/plain' }],
    ['<html lang="en">', { 'content-type': 'application/octet-stream' }],
    ['anything', { 'content-type': ' text/html; charset=utf-8' }],
  ])('is absent behind the page %j %o', async (page, headers) => {
    await using server = await host(files, ({ bytes, response }) =>
      bytes ? false : void response.writeHead(200, headers).end(page),
    );
    const folder = httpFolder(server.url, noWait);
    expect(await readText(folder, 'chat_template.jinja')).toBeUndefined();
    expect(await readJson(folder, 'tokenizer.json')).toBeUndefined();
  });

  test('is not forgotten where it lies on the disk', async () => {
    const root = await mkdtemp(join(tmpdir(), 'atomoe-hosts-'));
    try {
      let isRefused = false;
      await using server = await host({ ...files, 'tokenizer.json': '{"a": 1}' }, ({ name, response }) =>
        isRefused && name === 'tokenizer.json' ? void response.writeHead(403).end() : false,
      );
      for (const refused of [false, true]) {
        isRefused = refused;
        const folder = await cachedFolder(httpFolder(server.url, noWait), await openNodeStorage(root));
        expect(await readJson(folder, 'config.json')).toEqual({ layers: 2 });
        expect(await readJson(folder, 'tokenizer.json')).toEqual({ a: 1 });
        await folder.dispose();
      }
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe('compressed JSON', () => {
  const json = JSON.stringify({ words: Array.from({ length: 20_000 }, (_, i) => `word ${i * 7919}`) });
  const packed = gzipSync(json);

  test.each([
    ['whole, whatever is asked', (range: string | undefined) => [200, range]],
    ['by parts of the packed bytes', (range: string | undefined) => [range ? 206 : 200, range]],
  ])('sent %s is read whole', async (_how, choose) => {
    expect(packed.byteLength).toBeGreaterThan(65_536);
    await using server = await host({}, ({ request, response }) => {
      const [status, range] = choose(request.headers.range);
      const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
      if (status === 206) return sendRange(response, packed, String(range), headers);
      return void response.writeHead(200, headers).end(packed);
    });
    const read = await readJson(httpFolder(server.url, noWait), 'tokenizer.json');
    expect(read).toEqual(JSON.parse(json));
  });

  // Across origins neither Content-Encoding nor Content-Range need be visible.
  test.each([
    [json.slice(0, 200_000), false],
    [json.slice(0, 200_000), true],
    [json, false],
    [json, true],
  ])('behind hidden headers is read whole', async (text, showsRange) => {
    const sent = gzipSync(text).byteLength;
    const end = Math.min(sent, 65_536);
    const range = showsRange ? { 'content-range': `bytes 0-${end - 1}/${sent}` } : {};
    const asked: (string | null)[] = [];
    const fetch = async (_url: unknown, init: RequestInit = {}) => {
      asked.push(new Headers(init.headers).get('range'));
      if (asked.at(-1) === null) return new Response(text, { status: 200 });
      const headers = { 'content-length': String(end), ...range } as Record<string, string>;
      if (end === sent) return new Response(text, { status: 206, headers });
      const broken = new ReadableStream({
        pull: (controller) => controller.error(new TypeError('ERR_CONTENT_DECODING_FAILED')),
      });
      return new Response(broken, { status: 206, headers });
    };
    const file = await httpFolder('https://m.example/toy/', { ...noWait, fetch }).open('tokenizer.json', {
      mostBytes: 2 ** 24,
    });
    expect(new TextDecoder().decode(await file!.read(0, file!.sizeBytes))).toBe(text);
    expect(asked).toEqual(['bytes=0-65535', null]);
  });

  test.each([
    ['too short', 'network'],
    ['too long', 'bad-file'],
  ])('is not what a body is that is %s', async (what, code) => {
    const bytes = new TextEncoder().encode('{"layers": 2}   ');
    const size = what === 'too short' ? 9 : bytes.byteLength;
    await using server = await host({}, ({ response }) => {
      const headers = { 'content-range': 'bytes 0-12/13', 'content-length': size };
      response.writeHead(206, headers).end(bytes.subarray(0, size));
    });
    const folder = httpFolder(server.url, { ...noWait, attempts: 3 });
    expect((await failure(readJson(folder, 'config.json'))).code).toBe(code);
    expect(server.log.map(({ range }) => range)).not.toContain(undefined);
  });
});

describe('a host without ranges', () => {
  /** As `python3 -m http.server`, but that it stops when no one listens. */
  const plain: Answer = ({ bytes, response }) => {
    if (!bytes) return false;
    const headers = { 'content-length': bytes.byteLength, 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' };
    response.writeHead(200, headers);
    const chunks = Array.from({ length: Math.ceil(bytes.byteLength / 65_536) }, (_, i) =>
      bytes.subarray(i * 65_536, (i + 1) * 65_536),
    );
    void pour(response, chunks);
  };
  const large = randomBytes(9_000_000, 2);
  const same = (a: Uint8Array, begin: number) =>
    Buffer.compare(a, large.subarray(begin, begin + a.byteLength)) === 0;

  test('is asked for the beginning while somebody looks, and once for the rest', async () => {
    await using server = await host({ ...files, [WEIGHTS]: large }, plain);
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    expect(file).toMatchObject({ sizeBytes: large.byteLength, isRanged: false });
    expect(same(await file.read(8, 100_000, { isPeek: true }), 8)).toBe(true);
    const looked = server.sentBytes.get(WEIGHTS)!;
    expect(looked).toBeLessThan(large.byteLength / 3); // buffers are filled, if not read
    const seen: number[] = [];
    const parts = await Promise.all([
      file.read(1_000_000, 10, { onProgress: (done) => seen.push(done) }),
      file.read(8_500_000, 1000),
    ]);
    expect(parts).toEqual([large.slice(1_000_000, 1_000_010), large.slice(8_500_000, 8_501_000)]);
    expect(await file.read(7_000_000, 5)).toEqual(large.slice(7_000_000, 7_000_005));
    expect(server.sentBytes.get(WEIGHTS)! - looked).toBeLessThan(large.byteLength * 1.1);
    expect(server.log.filter(({ name }) => name === WEIGHTS)).toHaveLength(3);
    expect(seen.at(-1)).toBe(10);
  });

  test('is read once by all who want a part, and an abort of one leaves the others', async () => {
    await using server = await host({ [WEIGHTS]: large }, plain);
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    const controller = new AbortController();
    const leaving = file.read(3_000_000, 5, { signal: controller.signal });
    const staying = file.read(8_000_000, 5);
    controller.abort(new Error('enough'));
    await expect(leaving).rejects.toThrow('enough');
    expect(await staying).toEqual(large.slice(8_000_000, 8_000_005));
    expect(server.log).toHaveLength(2);
  });

  test('fills the disk by one download, and not again', async () => {
    const root = await mkdtemp(join(tmpdir(), 'atomoe-hosts-'));
    try {
      await using server = await host({ [WEIGHTS]: large }, plain);
      const storage = await openNodeStorage(root);
      for (const visit of [1, 2]) {
        const folder = await cachedFolder(httpFolder(server.url, noWait), storage);
        const file = (await folder.open(WEIGHTS))!;
        const reads = [0, 2, 4, 6].map((mb) => file.read(mb * 1_000_000, 1_000_000));
        expect((await Promise.all(reads))[3]!.subarray(0, 9)).toEqual(large.subarray(6_000_000, 6_000_009));
        await folder.dispose();
        expect(folder.cache.status.storedBytes).toBe(large.byteLength);
        expect(server.log).toHaveLength(visit + 1); // a window each visit, and all of it once
      }
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('is not mixed of two versions either', async () => {
    let current = body;
    const answer: Answer = ({ response }) => {
      response.writeHead(200, { 'content-length': current.byteLength }); // nothing tells versions apart
      void pour(response, [current]);
    };
    await using server = await host({ [WEIGHTS]: body }, answer);
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    current = randomBytes(body.byteLength, 5);
    const error = await failure(file.read(500_000, 10));
    expect(error).toMatchObject({
      code: 'integrity',
      message: expect.stringContaining('it begins otherwise'),
    });
  });

  test('that does not tell the size of a large file is refused with a reason', async () => {
    await using server = await host({ [WEIGHTS]: body }, ({ response }) => {
      response.writeHead(200);
      void pour(
        response,
        Array.from({ length: 40 }, () => body),
      );
    });
    const error = await failure(httpFolder(server.url, noWait).open(WEIGHTS));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/does not tell the file's size.*Content-Length/);
  });
});

describe('bytes are bounded while they are read', () => {
  test('a bomb ends at what a small file may have', async () => {
    const bomb = gzipSync(new Uint8Array(40 * 2 ** 20));
    await using server = await host({}, ({ response }) => {
      response.writeHead(200, { 'content-encoding': 'gzip' });
      // One after the other they unpack to ten times as much.
      void pour(
        response,
        Array.from({ length: 10 }, () => bomb),
      );
    });
    const error = await failure(readJson(httpFolder(server.url, noWait), 'config.json'));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(/config.json has 16777217 bytes or more, at most 16777216 are believable/);
    expect(server.log).toHaveLength(1);
  });

  test('a weight file that unpacks to more than it should ends there', async () => {
    const bomb = gzipSync(new Uint8Array(33 * 2 ** 20));
    await using server = await host(
      { [WEIGHTS]: bomb },
      ({ response }) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    expect((await failure(httpFolder(server.url, noWait).open(WEIGHTS))).code).toBe('network');
  });

  test('a small file that says it is large is not read', async () => {
    await using server = await host({}, ({ response }) => {
      response.writeHead(200, { 'content-length': 2 ** 40 }).write(body);
    });
    const error = await failure(readJson(httpFolder(server.url, noWait), 'config.json'));
    expect(error).toMatchObject({ code: 'bad-file', message: expect.stringContaining('1099511627776') });
  });
});

describe('parts of another version or another place', () => {
  const next = randomBytes(body.byteLength, 3);
  const read = async (folder: FolderSource) => {
    const file = (await folder.open(WEIGHTS))!;
    const first = await file.read(100_000, 1000);
    return [first, await file.read(500_000, 1000)];
  };
  /** Serves the old version until `after` requests were answered. */
  const changing = (after: number, headers: Record<string, string>, laterHeaders = headers): Answer => {
    let count = 0;
    return ({ response, request }) => {
      const isOld = count++ < after;
      sendRange(response, isOld ? body : next, request.headers.range, isOld ? headers : laterHeaders);
    };
  };

  test.each([1, 2, 3])('are found where no header tells versions apart, after %i requests', async (after) => {
    await using server = await host(files, changing(after, {}));
    const error = await failure(read(httpFolder(server.url, noWait)));
    expect(error.code).toBe('integrity');
    expect(error.message).toMatch(/changed while it was read: .*; load the model again/);
  });

  test('are found by their date where the ETag comes only sometimes', async () => {
    const [old, later] = ['Mon, 01 Jan 2024 00:00:00 GMT', 'Tue, 02 Jan 2024 00:00:00 GMT'];
    const answer = changing(2, { etag: '"1"', 'last-modified': old }, { 'last-modified': later });
    await using server = await host(files, answer);
    expect((await failure(read(httpFolder(server.url, noWait)))).message).toMatch(/version is Tue.* was "1"/);
  });

  test('one version is read, with few requests more', async () => {
    await using server = await host(files, changing(Infinity, {}));
    expect(await read(httpFolder(server.url, noWait))).toEqual([
      body.slice(100_000, 101_000),
      body.slice(500_000, 501_000),
    ]);
    expect(server.log).toHaveLength(5); // each part, and a look at what was read before
  });

  test('a weakened ETag is the same version', async () => {
    await using server = await host(files, changing(1, { etag: '"1"' }, { etag: 'W/"1"' }));
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    expect(await file.read(500_000, 10)).toEqual(next.slice(500_000, 500_010));
  });

  test('a disk that has half of the old one does not take half of the new one', async () => {
    const root = await mkdtemp(join(tmpdir(), 'atomoe-hosts-'));
    try {
      const old = new Uint8Array(body);
      const fresh = new Uint8Array(next);
      fresh.set(old.subarray(0, 100_000)); // models of one architecture begin alike
      let current = old;
      await using server = await host(files, ({ response, request }) =>
        sendRange(response, current, request.headers.range, {}),
      );
      const storage = await openNodeStorage(root);
      const first = await cachedFolder(httpFolder(server.url, noWait), storage);
      await (await first.open(WEIGHTS))!.read(0, 500_000);
      await first.dispose();
      current = fresh;
      const second = await cachedFolder(httpFolder(server.url, noWait), storage);
      const mixed = await (await second.open(WEIGHTS))!.read(400_000, 200_000);
      expect(Buffer.compare(mixed, fresh.subarray(400_000, 600_000))).toBe(0);
      await second.dispose();
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test.each([
    ['begins elsewhere', 'bytes 0-999/1000000'],
    ['is longer', 'bytes 100000-101999/1000000'],
    ['ends before it begins', 'bytes 100000-99999/1000000'],
    ['is no range', 'bytes 100000'],
    ['is missing, where there was one', ''],
  ])('a part whose Content-Range %s is refused', async (_what, contentRange) => {
    await using server = await host(files, ({ response, request }) => {
      if (request.headers.range === 'bytes=0-65535') return false;
      const headers = contentRange === '' ? {} : { 'content-range': contentRange };
      return void response.writeHead(206, { etag: '"1"', ...headers }).end(body.subarray(0, 1000));
    });
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    const error = await failure(file.read(100_000, 1000));
    expect(error.code).toBe('network');
    expect(error.message).toMatch(/its range support is broken, use another host/);
  });

  test.each([
    [true, undefined],
    [false, 'network'],
  ])('without Content-Range, ranges are proven by known bytes (heard: %s)', async (hears, code) => {
    await using server = await host(files, ({ response, request }) => {
      const [first = 0, last = 0] = (request.headers.range ?? '').match(/\d+/g)?.map(Number) ?? [];
      if (request.method === 'HEAD') {
        return void response.writeHead(200, { 'content-length': body.byteLength }).end();
      }
      const begin = hears ? first : 0;
      const part = body.subarray(begin, begin + last + 1 - first);
      return void response.writeHead(206, { etag: '"1"' }).end(part);
    });
    const file = (await httpFolder(server.url, noWait).open(WEIGHTS))!;
    const reading = file.read(500_000, 1000);
    if (code === undefined) expect(await reading).toEqual(body.slice(500_000, 501_000));
    else expect((await failure(reading)).code).toBe(code);
  });
});

describe('slow hosts', () => {
  test('a trickle is a stall', async () => {
    let timer: ReturnType<typeof setInterval> | undefined;
    await using server = await host(files, ({ response, name }) => {
      if (name !== WEIGHTS) return false;
      response.writeHead(206, { 'content-range': `bytes 0-65535/${body.byteLength}` });
      timer = setInterval(() => response.write(body.subarray(0, 10)), 5);
    });
    const begun = performance.now();
    const options = { ...noWait, stallTimeoutMs: 100, attempts: 2 };
    const error = await failure(httpFolder(server.url, options).open(WEIGHTS));
    clearInterval(timer);
    expect(error.message).toMatch(/fell silent, or nearly/);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(server.log).toHaveLength(2);
  });

  test.each<[after: string, waits: number[], message: RegExp]>([
    ['3600', [], /answered 503, .*it asks to wait 3600 seconds/],
    ['Fri, 31 Dec 9999 23:59:59 GMT', [], /it asks to wait 1000000000 seconds/],
    ['10', [10_000], /it asks to wait 10 seconds/], // a second ten would be more than fifteen
    ['4', [4000, 4000, 4000], /it asks to wait 4 seconds/],
    ['1e99', [500, 1000, 2000, 4000], /to every try/],
    ['soon', [500, 1000, 2000, 4000], /to every try/],
    ['-5', [500, 1000, 2000, 4000], /to every try/],
  ])('Retry-After: %s is followed for fifteen seconds in all', async (after, wanted, message) => {
    const waits: number[] = [];
    const folder = httpFolder('https://m.example/toy/', {
      fetch: async () => new Response(null, { status: 503, headers: { 'retry-after': after } }),
      delay: async (ms) => void waits.push(ms),
    });
    const error = await failure(folder.open('config.json'));
    expect(error).toMatchObject({ code: 'network', message: expect.stringMatching(message) });
    expect(waits).toEqual(wanted);
  });
});

describe('addresses and secrets', () => {
  const SECRETS = ['hunter2', 'hunter%32', 's1gnature', 'hf_t0ken', 'c2FtOmh1bnRlcjI='];

  test('a login, a signed query and headers go to every file, and into no text', async () => {
    const seen: { url: string; authorization: string | undefined; header: string | undefined }[] = [];
    await using server = await host(files, ({ request }) => {
      seen.push({
        url: request.url ?? '',
        authorization: request.headers.authorization,
        header: request.headers['x-key'] as string | undefined,
      });
      return false;
    });
    const url = server.url.replace('http://', 'http://sam:hunter2@') + '?sig=s1gnature&v=2#part';
    const folder = httpFolder(url, { ...noWait, headers: { 'x-key': 'hf_t0ken' } });
    expect(await readJson(folder, 'config.json')).toEqual({ layers: 2 });
    expect(seen[0]).toEqual({
      url: '/model/config.json?sig=s1gnature&v=2',
      authorization: 'Basic c2FtOmh1bnRlcjI=',
      header: 'hf_t0ken',
    });
    const file = (await folder.open(WEIGHTS))!;
    file.dispose!();
    const error = await failure(file.read(0, 1));
    const texts = [folder.label, folder.identity, file.name, error.message, error.stack];
    for (const secret of SECRETS) expect(texts.join('\n')).not.toContain(secret);
    expect(folder.label).toBe(server.url);
    expect(folder.identity).toBe(`${server.url}?v=2`); // what is no signature tells models apart
  });

  test.each([401, 403, 404, 500])('messages about %i hold none of them', async (status) => {
    await using server = await host({}, ({ response }) => void response.writeHead(status).end());
    const url = server.url.replace('http://', 'http://sam:hunter2@') + '?sig=s1gnature';
    const options = { ...noWait, headers: { authorization: 'Bearer hf_t0ken' } };
    const error = await readJson(httpFolder(url, options), 'config.json').catch((reason: unknown) => reason);
    if (status === 404) return expect(error).toBeUndefined();
    for (const secret of SECRETS) expect(String((error as Error).stack)).not.toContain(secret);
  });

  test('nor does what a fetch throws that repeats its address', async () => {
    const fetch = async (url: unknown, init: RequestInit = {}) => {
      throw new TypeError(
        `no route to ${String(url)} with ${new Headers(init.headers).get('authorization')}`,
      );
    };
    const url = 'https://m.example/toy/?token=s1gnature';
    const folder = httpFolder(url, { ...noWait, fetch, headers: { authorization: 'Bearer hf_t0ken' } });
    const error = await failure(folder.open('config.json'));
    const cause = error.cause as Error;
    for (const text of [error.message, error.stack, cause.message, cause.stack]) {
      for (const secret of SECRETS) expect(text).not.toContain(secret);
    }
    expect(error.message).toMatch(/m.example\/toy\/config.json could not be read: no route to/);
  });

  test.each<[headers: Record<string, unknown>, says: RegExp]>([
    [
      { authorization: 'Bearer\nhf_t0ken' },
      /the value of "authorization" .* allows: it has a line break in it/,
    ],
    [{ 'x-key': 'hf_t0ken\u2026' }, /the value of "x-key" .* it has a character beyond Latin-1 in it/],
    [{ 'x-key': 'hf_t0ken\0!' }, /the value of "x-key" .* it has a control character in it/],
    [{ 'x-key': 5 }, /the value of "x-key" is of type number; wanted text/],
    [{ 'a b': 'hf_t0ken' }, /the name that begins with "a" is none that HTTP allows: it has " " in it/],
    // The value got into the name.
    [{ 'authorization: Bearer hf_t0ken': '' }, /begins with "authorization" .* it has ":" in it/],
    [{ '': 'hf_t0ken' }, /a name is empty; wanted letters/],
  ])('%o are refused, by name and reason, without the value', (headers, says) => {
    const open = () => httpFolder('https://m.example/', { headers: headers as Record<string, string> });
    expect(open).toThrow(
      expect.objectContaining({ code: 'bad-input', message: expect.stringMatching(says) }),
    );
    expect(open).toThrow(/^headers: /);
    expect(open).not.toThrow(/hf_t0ken/);
  });

  test.each([
    'chrome-extension://abcdef/models/toy/',
    'app://localhost/models/toy',
    'capacitor://localhost/models/toy/',
    'tauri://localhost/models/toy/',
    'file:///models/toy/',
  ])('%s is fetched; what is not there is absent', async (url) => {
    const asked: string[] = [];
    const fetch = async (input: unknown, init: RequestInit = {}) => {
      asked.push(String(input));
      const name = String(input).split('/').at(-1);
      if (name !== 'config.json' && name !== WEIGHTS) throw new TypeError('Failed to fetch');
      const bytes = name === WEIGHTS ? body : new TextEncoder().encode('{"layers": 2}');
      // As Chromium's extensions: a range is heard, and told neither by a status nor by a size.
      const [first = 0, last = bytes.length] = new Headers(init.headers).get('range')?.match(/\d+/g) ?? [];
      return new Response(bytes.slice(Number(first), Number(last) + 1));
    };
    const folder = httpFolder(url, { ...noWait, fetch, origin: new URL(url).origin });
    expect(await readJson(folder, 'config.json')).toEqual({ layers: 2 });
    expect(asked).toEqual([`${url.replace(/\/$/, '')}/config.json`]);
    expect(await readJson(folder, 'tokenizer.json')).toBeUndefined();
    const file = (await folder.open(WEIGHTS))!;
    expect(file).toMatchObject({ sizeBytes: body.byteLength, isRanged: true }); // it is here already
    expect(await file.read(500_000, 9)).toEqual(body.slice(500_000, 500_009));
    expect((await failure(folder.open('config.json/x.safetensors'))).message).toMatch(/could not be read; /);
  });

  test('what cannot be an address gets a sentence that helps', () => {
    expect(() => httpFolder('org/name')).toThrow(
      /for "org\/name" of the Hugging Face hub give https:\/\/huggingface.co\/org\/name\/resolve\/main\//,
    );
    expect(() => httpFolder('C:\\models\\toy')).toThrow(/opened by nodeFolder\(\) of atomoe\/node/);
    expect(() => httpFolder('blob:https://p.example/1234')).toThrow(/is one file, and a model is several/);
    expect(() => httpFolder('//sam:hunter2@h.example/x')).not.toThrow(/hunter2/);
    for (const url of ['https://p.example/app/org/name', 'https://huggingface.co/org/name/']) {
      expect(httpFolder(url).advice).toMatch(/give https:\/\/huggingface.co\/org\/name\/resolve\/main\//);
    }
    expect(httpFolder('https://huggingface.co/org/name/resolve/main/').advice).toBeUndefined();
  });
});
