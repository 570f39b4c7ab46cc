import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, describe, test } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { cachedFolder } from '../io/cache/disk-cache.ts';
import { coalescedFolder } from '../io/coalesce.ts';
import { memoryFile, memoryFolder } from '../io/memory.ts';
import { openNodeStorage } from '../io/node-storage.ts';
import type { FileSource, FolderSource } from '../io/source.ts';
import { openCheckpoint } from './index.ts';
import { openSafetensors } from './safetensors/open.ts';
import { matrixLayout } from '../weights/matrix.ts';
import type { RecordLayout } from '../weights/record.ts';
import { expertFiles } from './pack/files.ts';
import { writePack, type PackContents, type PackOptions } from './pack/writer.ts';
import { memorySink, type Files } from './pack.testing.ts';
import { copyTensor } from './safetensors-writer.ts';
import { f32Safetensors } from './safetensors.testing.ts';

const LAYERS = 2;
const UNITS = 3;
const STRIDE = 4096;

/** gate and up [4, 32], down [32, 4] of f32: 512 bytes each. */
const layout: RecordLayout = {
  parts: {
    gate: { format: 'f32', rows: 4, cols: 32, offsetBytes: 0 },
    up: { format: 'f32', rows: 4, cols: 32, offsetBytes: 512 },
    down: { format: 'f32', rows: 32, cols: 4, offsetBytes: 1024 },
  },
  sizeBytes: 1536,
};

/** Bytes that tell which record they are of. */
function record(layer: number, unit: number, sizeBytes = layout.sizeBytes): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + layer * 101 + unit * 31) % 256);
}

const dense = await openSafetensors(
  memoryFile('dense', f32Safetensors({ w: { shape: [2, 2], values: [1, 2, 3, 4] } })),
);

function contents(changed: Partial<PackContents> = {}): PackContents {
  return {
    source: { label: 'toy', totalBytes: 12345 },
    dense: [copyTensor(dense, 'w')],
    metadata: { format: 'pt' },
    experts: {
      layout,
      layers: LAYERS,
      unitsPerLayer: UNITS,
      read: async (layer, unit) => record(layer, unit),
    },
    copies: [memoryFile('config.json', new TextEncoder().encode('{"model_type": "toy"}'))],
    ...changed,
  };
}

async function packed(options: PackOptions = {}, changed: Partial<PackContents> = {}): Promise<Files> {
  const { files, sink } = memorySink();
  await writePack(sink, contents(changed), options);
  return files;
}

async function failure(promise: Promise<unknown>): Promise<AtomoeError> {
  const error: unknown = await promise.then(
    () => expect.fail('was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

/** A folder that notes what is open and read, and may change what is read. */
function watched(files: Files, change: (bytes: Uint8Array<ArrayBuffer>, name: string) => void = () => {}) {
  const open = new Set<FileSource>();
  const reads: [name: string, offsetBytes: number, sizeBytes: number][] = [];
  const inner = memoryFolder(files, 'toy');
  const folder: FolderSource = {
    ...inner,
    async open(name) {
      const file = await inner.open(name);
      if (!file) return undefined;
      const watching: FileSource = {
        ...file,
        async read(offsetBytes, sizeBytes, options) {
          reads.push([name, offsetBytes, sizeBytes]);
          const bytes = await file.read(offsetBytes, sizeBytes, options);
          change(bytes, name);
          return bytes;
        },
        dispose: () => open.delete(watching),
      };
      open.add(watching);
      return watching;
    },
  };
  return { folder, open, reads };
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const withManifest = (files: Files, json: unknown): Files => ({
  ...files,
  'atomoe.json': new TextEncoder().encode(JSON.stringify(json)),
});

test('a packed model reads as it was, each record by one read', async () => {
  // 3 records would need one byte more.
  const files = await packed({ splitBytes: 3 * STRIDE - 1 });
  expect(Object.keys(files).toSorted()).toEqual([
    'atomoe.json',
    'config.json',
    'dense.safetensors',
    'experts-00001.bin',
    'experts-00002.bin',
    'experts-00003.bin',
  ]);
  const { folder, open, reads } = watched(files);
  const checkpoint = await openCheckpoint(folder);
  expect(checkpoint.config).toEqual({ model_type: 'toy' });
  expect(checkpoint.metadata).toEqual({ format: 'pt' });
  expect([...(await checkpoint.readF32('w'))]).toEqual([1, 2, 3, 4]);
  const pack = checkpoint.records!;
  expect(pack).toMatchObject({ layout, layers: LAYERS, unitsPerLayer: UNITS, totalBytes: 6 * STRIDE });
  expect(checkpoint.files.map(({ name }) => name)).toEqual(
    Object.keys(files).filter((name) => !name.endsWith('json')),
  );
  expect(checkpoint.totalBytes).toBe(6 * STRIDE + files['dense.safetensors']!.length);
  for (let layer = 0; layer < LAYERS; layer += 1) {
    for (let unit = 0; unit < UNITS; unit += 1) {
      reads.length = 0;
      expect(await pack.read(layer, unit)).toEqual(record(layer, unit));
      const index = layer * UNITS + unit;
      const name = `experts-0000${1 + (index >> 1)}.bin`;
      expect(reads).toEqual([[name, (index % 2) * STRIDE, layout.sizeBytes]]);
    }
  }
  checkpoint.dispose();
  expect(open.size).toBe(0);
});

test('by default all records lie in one file; each part has a format, and a bias may be one', async () => {
  expect(matrixLayout('q8_0', 5, 64).sizeBytes).toBe(340); // 320 quants, 10 scales
  const quantised: RecordLayout = {
    parts: {
      in: { format: 'q8_0', rows: 5, cols: 64, offsetBytes: 0 },
      out: { format: 'bf16', rows: 5, cols: 32, offsetBytes: 512 }, // 320 bytes
      'out bias': { format: 'f32', rows: 1, cols: 5, offsetBytes: 1024 },
    },
    sizeBytes: 1280,
  };
  const read = async (layer: number, unit: number) => record(layer, unit, 1280);
  const experts = { layout: quantised, layers: LAYERS, unitsPerLayer: UNITS, read };
  const files = await packed({}, { experts });
  const { records: pack } = await openCheckpoint(memoryFolder(files));
  expect(pack).toMatchObject({ layout: quantised, files: [{ sizeBytes: 6 * STRIDE }] });
  expect(await pack!.read(1, 2)).toEqual(record(1, 2, 1280));
});

test('a manifest of version 1, with one format for all parts, opens as what it was', async () => {
  const parts = {
    in: { format: 'q8_0', rows: 5, cols: 64, offsetBytes: 0 },
    out: { format: 'q8_0', rows: 5, cols: 64, offsetBytes: 512 },
  };
  const given = { layout: { parts, sizeBytes: 1024 }, layers: LAYERS, unitsPerLayer: UNITS };
  const read = async (layer: number, unit: number) => record(layer, unit, 1024);
  const files = await packed({}, { experts: { ...given, read } });
  const json = JSON.parse(text(files['atomoe.json']));
  const old = (offsetBytes: number, scalesOffsetBytes: number) => ({
    rows: 5,
    cols: 64,
    offsetBytes,
    scalesOffsetBytes,
  });
  const asOld = (scales: number) => ({
    ...json,
    version: 1,
    record: { format: 'q8_0', parts: { in: old(0, 320), out: old(512, scales) }, sizeBytes: 1024 },
  });
  const { records: pack } = await openCheckpoint(memoryFolder(withManifest(files, asOld(832))));
  expect(pack).toMatchObject(given);
  expect(await pack!.read(1, 2)).toEqual(record(1, 2, 1024));
  const error = await failure(openCheckpoint(memoryFolder(withManifest(files, asOld(831)))));
  expect(error.message).toMatch(/record\.parts\.out\.scalesOffsetBytes is 831, 832 is wanted/);
});

test('who points at the dense file means the pack', async () => {
  const folder = { ...memoryFolder(await packed()), entry: 'dense.safetensors' };
  expect((await openCheckpoint(folder)).records).toMatchObject({ layers: LAYERS });
});

describe('records in an order of their own', () => {
  const order = [
    [2, 0, 1],
    [1, 2, 0],
  ];
  const experts = { ...contents().experts, order };

  test('read as the units that they are, where the order says; neighbours are one request', async () => {
    const files = await packed({ splitBytes: 2 * STRIDE }, { experts });
    const { folder, reads } = watched(files);
    const { records: pack } = await openCheckpoint(folder);
    expect(pack).toMatchObject({ layout, layers: LAYERS, unitsPerLayer: UNITS, order });
    for (const [layer, units] of order.entries()) {
      for (const [place, unit] of units.entries()) {
        reads.length = 0;
        expect(await pack!.read(layer, unit)).toEqual(record(layer, unit));
        const index = layer * UNITS + place;
        expect(reads).toEqual([[`experts-0000${1 + (index >> 1)}.bin`, (index % 2) * STRIDE, STRIDE]]);
      }
    }
    const together = watched(await packed({}, { experts }));
    const { records } = await openCheckpoint(coalescedFolder(together.folder));
    together.reads.length = 0;
    const read = await Promise.all([0, 2].map((unit) => records!.read(0, unit)));
    expect(read).toEqual([record(0, 0), record(0, 2)]);
    expect(together.reads).toEqual([['experts-00001.bin', 0, 2 * STRIDE]]);
  });

  test('readers that do not know the order refuse the pack', async () => {
    const json = JSON.parse(text((await packed({}, { experts }))['atomoe.json']));
    expect(json.required).toEqual(['places']);
    expect(json.version).toBe(2);
    expect(JSON.parse(text((await packed())['atomoe.json']))).not.toHaveProperty('required');
  });

  const base64 = (...places: number[]) => Buffer.from(Uint32Array.from(places).buffer).toString('base64');
  test.each([
    [
      'a place twice',
      [base64(0, 0, 1), base64(0, 1, 2)],
      /places\[0\] is ".*", each place from 0 to 2 once is wanted/,
    ],
    [
      'a place outside',
      [base64(0, 1, 2), base64(0, 1, 3)],
      /places\[1\] is ".*", each place from 0 to 2 once/,
    ],
    ['too few places', [base64(0, 1, 2), base64(0, 1)], /places\[1\] is ".*", 12 bytes as base64 is wanted/],
    ['too few layers', [base64(0, 1, 2)], /places is "1 strings", 2, one a layer is wanted/],
    ['no list', 'x', /places is "x", a list is wanted/],
  ])('%s is a damaged pack', async (_name, places, message) => {
    const files = await packed({}, { experts });
    const json = JSON.parse(text(files['atomoe.json']));
    json.sections.places = places;
    const error = await failure(openCheckpoint(memoryFolder(withManifest(files, json))));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(message);
  });
});

describe('reading a record', () => {
  const flip = (bytes: Uint8Array) => (bytes[bytes.length - 1]! ^= 1);

  test('one damaged byte is an integrity error', async () => {
    const files = await packed();
    files['experts-00001.bin']![4 * STRIDE + 77]! ^= 0x10;
    const { records: pack } = await openCheckpoint(memoryFolder(files, 'toy'));
    const error = await failure(pack!.read(1, 1));
    expect(error.code).toBe('integrity');
    expect(error.message).toMatch(
      /^toy: experts-00001.bin has wrong bytes for expert unit 1 of expert layer 1: .*;/,
    );
    expect(await pack!.read(1, 2)).toEqual(record(1, 2));
  });

  test('a byte that was damaged on its way is read again', async () => {
    let damages = 1;
    const { folder, open } = watched(await packed(), (bytes, name) => {
      if (name.endsWith('.bin') && damages-- > 0) flip(bytes);
    });
    const checkpoint = await openCheckpoint(folder);
    expect(await checkpoint.records!.read(0, 0)).toEqual(record(0, 0));
    damages = 2;
    expect((await failure(checkpoint.records!.read(0, 0))).code).toBe('integrity');
    checkpoint.dispose();
    expect(open.size).toBe(0);
  });

  test('a byte that was damaged on its way is not kept on the disk', async () => {
    const root = await mkdtemp(join(tmpdir(), 'atomoe-pack-'));
    let damages = 0;
    const { folder } = watched(await packed(), (bytes, name) => {
      if (name.endsWith('.bin') && bytes.length === layout.sizeBytes && damages-- > 0) flip(bytes);
    });
    const load = async () => {
      const cached = await cachedFolder(folder, await openNodeStorage(root));
      const { records: pack } = await openCheckpoint(cached);
      return { cached, pack: pack! };
    };
    const first = await load();
    damages = 1;
    expect(await first.pack.read(0, 0)).toEqual(record(0, 0));
    damages = 2;
    expect((await failure(first.pack.read(0, 1))).code).toBe('integrity');
    expect(await first.pack.read(0, 1)).toEqual(record(0, 1));
    damages = 2;
    expect((await failure(first.pack.read(1, 2))).code).toBe('integrity');
    await first.cached.dispose();
    const second = await load();
    for (const [layer, unit] of [
      [0, 0],
      [0, 1],
      [1, 2],
    ] as const) {
      expect(await second.pack.read(layer, unit)).toEqual(record(layer, unit));
    }
    await second.cached.dispose();
    await rm(root, { recursive: true });
  });

  test('padding between records is nobody’s', async () => {
    const files = await packed();
    files['experts-00001.bin']![layout.sizeBytes] = 1;
    const { records: pack } = await openCheckpoint(memoryFolder(files));
    expect(await pack!.read(0, 0)).toEqual(record(0, 0));
  });

  test('an abort rejects with its reason', async () => {
    const { records: pack } = await openCheckpoint(memoryFolder(await packed()));
    const reason = new Error('enough');
    await expect(pack!.read(0, 0, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('the dense part', () => {
  /** Larger than a block, so that reads begin and end inside of some. */
  const tensors = f32Safetensors({
    w: { shape: [40_000], values: Array.from({ length: 40_000 }, (_, i) => i) },
    v: { shape: [2], values: [5, 6] },
  });
  const packedLarge = async () => {
    const large = await openSafetensors(memoryFile('dense', tensors));
    return packed({}, { dense: ['w', 'v'].map((name) => copyTensor(large, name)) });
  };

  test('reads as it was, whatever rows are wanted', async () => {
    const files = await packedLarge();
    const { folder, open, reads } = watched(files);
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.unverified).toBeUndefined();
    for (const [rowStart, rowCount] of [
      [0, 40_000],
      [16_000, 900],
      [16_900, 10],
      [39_999, 1],
      [7, 0],
    ] as const) {
      const rows = await checkpoint.readF32('w', { rowStart, rowCount });
      expect([rows.length, rows[0], rows.at(-1)]).toEqual(
        rowCount === 0 ? [0, undefined, undefined] : [rowCount, rowStart, rowStart + rowCount - 1],
      );
    }
    const seen: number[] = [];
    const two = await checkpoint.readF32('v', { onProgress: (done) => seen.push(done) });
    expect([...two]).toEqual([5, 6]);
    expect(new Set(seen)).toEqual(new Set([8])); // and not the block that it is in
    const blocks = reads.filter(([name]) => name === 'dense.safetensors').map(([, at]) => at % 65_536);
    expect(new Set(blocks)).toEqual(new Set([0]));
    checkpoint.dispose();
    expect(open.size).toBe(0);
  });

  test('several reads at once share the blocks in which they meet, also where one gives up', async () => {
    const { folder, reads } = watched(await packedLarge());
    const checkpoint = await openCheckpoint(folder);
    const ranges = [0, 10_000, 15_000, 15_100, 40_000];
    const readAll = (signal?: AbortSignal) =>
      ranges.slice(1).map((end, i) => {
        const rowStart = ranges[i]!;
        return checkpoint.readF32('w', {
          rowStart,
          rowCount: end - rowStart,
          ...(i === 0 ? { signal } : {}),
        });
      });
    const whole = (await Promise.all(readAll())).flatMap((part) => [...part]);
    expect(whole).toEqual(Array.from({ length: 40_000 }, (_, i) => i));
    const dense = reads.filter(([name]) => name === 'dense.safetensors');
    const ends = dense.map(([, at, size]) => at + size);
    expect(dense.map(([, at]) => at)).toEqual([0, ...ends.slice(0, -1)]); // nothing twice, and no gap

    const abort = new AbortController();
    const [first, ...others] = readAll(abort.signal);
    abort.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect((await Promise.all(others)).map((part) => part[0])).toEqual(ranges.slice(1, -1));
  });

  test.each([0, 3, 100, 66_000, 131_072, 160_000])(
    'a flipped bit at byte %i is an integrity error',
    async (at) => {
      const files = await packedLarge();
      files['dense.safetensors']![at]! ^= 4;
      const { folder, open } = watched(files);
      const opening = openCheckpoint(folder).then(async (checkpoint) => {
        try {
          return [await checkpoint.readF32('w'), await checkpoint.readF32('v')];
        } finally {
          checkpoint.dispose();
        }
      });
      const error = await failure(opening);
      expect(error.code).toBe('integrity');
      expect(error.message).toMatch(
        /^toy: dense.safetensors has wrong bytes: the 65536 at \d+ .*read twice; download/,
      );
      expect(open.size).toBe(0);
    },
  );

  test('a byte that was damaged on its way is read again', async () => {
    let damages = 1;
    const { folder } = watched(await packedLarge(), (bytes, name) => {
      if (name === 'dense.safetensors' && bytes.length > 70_000 && damages-- > 0) bytes[9]! ^= 1;
    });
    expect((await (await openCheckpoint(folder)).readF32('w'))[39_999]).toBe(39_999);
  });

  test('without hashes it opens, and says so', async () => {
    const files = await packed();
    const { sections: _, ...json } = JSON.parse(text(files['atomoe.json']));
    files['dense.safetensors']![files['dense.safetensors']!.length - 1]! ^= 1;
    const checkpoint = await openCheckpoint(memoryFolder(withManifest(files, json)));
    expect(checkpoint.unverified).toContain('no hashes of its dense part');
    expect(await checkpoint.readF32('w')).toHaveLength(4);
  });
});

describe('sections', () => {
  const opening = async (more: object) => {
    const files = await packed();
    const json = JSON.parse(text(files['atomoe.json']));
    const sections = { ...json.sections, future: { any: 'thing' } };
    return openCheckpoint(memoryFolder(withManifest(files, { ...json, sections, ...more }), 'toy'));
  };

  test('that are unknown are passed over, and refused where the pack cannot do without', async () => {
    expect((await opening({})).unverified).toBeUndefined();
    expect((await opening({ required: ['denseHashes'] })).unverified).toBeUndefined();
    const error = await failure(opening({ required: ['denseHashes', 'future'] }));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toMatch(
      /cannot be read without its section "future", this Atomoe knows denseHashes, levels, places; use/,
    );
  });

  test.each([[['absent']], [[7]], ['future'], [{}], [null]])(
    'required = %j is a damaged pack',
    async (required) => {
      expect((await failure(opening({ required }))).code).toBe('bad-file');
    },
  );
});

describe('a bad pack is refused, and nothing stays open', () => {
  const cut = (bytes: Uint8Array<ArrayBuffer> | undefined) => bytes!.slice(0, -1);
  test.each<[string, (files: Files) => Files, RegExp]>([
    [
      'truncated records',
      (files) => ({ ...files, 'experts-00002.bin': cut(files['experts-00002.bin']) }),
      /experts-00002.bin has 8191 bytes, atomoe.json says 8192; download/,
    ],
    [
      'records are missing',
      ({ 'experts-00003.bin': _, ...files }) => files,
      /experts-00003.bin is missing, atomoe.json names it/,
    ],
    [
      'truncated tensors',
      (files) => ({ ...files, 'dense.safetensors': cut(files['dense.safetensors']) }),
      /dense.safetensors has \d+ bytes, atomoe.json says \d+/,
    ],
    ['tensors are missing', ({ 'dense.safetensors': _, ...files }) => files, /dense.safetensors is missing/],
    ['no config', ({ 'config.json': _, ...files }) => files, /config.json is missing/],
    [
      'a truncated manifest',
      (files) => ({ ...files, 'atomoe.json': cut(cut(files['atomoe.json'])) }),
      /atomoe.json is not JSON/,
    ],
  ])('%s', async (_name, damage, message) => {
    const { folder, open } = watched(damage(await packed({ splitBytes: 2 * STRIDE })));
    const error = await failure(openCheckpoint(folder));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(message);
    expect(open.size).toBe(0);
  });

  test('a newer version says which one is read', async () => {
    const files = await packed();
    const json = JSON.parse(text(files['atomoe.json']));
    const newer = { format: json.format, version: 3, anything: 'else' };
    const error = await failure(openCheckpoint(memoryFolder(withManifest(files, newer))));
    expect(error.code).toBe('unsupported-model');
    expect(error.message).toMatch(/is of version 3, this Atomoe reads versions 1 to 2; use a newer Atomoe/);
  });

  /** Every place of a JSON value. */
  function* places(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
    if (path.length > 0) yield path;
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) yield* places(inner, [...path, key]);
  }

  function change(json: unknown, path: readonly string[], to: unknown): unknown {
    const copy = structuredClone(json);
    const last = path[path.length - 1]!;
    const owner = path.slice(0, -1).reduce((at, key) => (at as Record<string, unknown>)[key], copy);
    if (to === undefined) delete (owner as Record<string, unknown>)[last];
    else (owner as Record<string, unknown>)[last] = to;
    return copy;
  }

  const lies = [undefined, null, true, 'x', '', [], {}, [0], -1, 0, 0.5, 1, 2, 7, 4096, 2 ** 31, 1e300];

  test.each([1, 2])('whatever field of the manifest lies, with %i records a file', async (perFile) => {
    const files = await packed({ splitBytes: perFile * STRIDE });
    const json = JSON.parse(text(files['atomoe.json']));
    let tried = 0;
    for (const path of places(json)) {
      const name = path.join('.');
      const truth = path.reduce((at, key) => at[key], json);
      for (const lie of [...lies, typeof truth === 'number' ? truth + 1 : 'AAAA']) {
        if (lie === truth) continue;
        // Where it came from is reported to people only: any text, any size.
        if (name === 'source.label' && typeof lie === 'string') continue;
        if (name === 'source.totalBytes' && Number.isSafeInteger(lie) && Number(lie) >= 0) continue;
        // Readers of before had no sections; and the dense part is so small that it is one block of any size.
        if (name.startsWith('sections') && (lie === undefined || JSON.stringify(lie) === '{}')) continue;
        if (name === 'sections.denseHashes.blockBytes' && lie === 4096) continue;
        const { folder, open } = watched(withManifest(files, change(json, path, lie)));
        const checkpoint = await openCheckpoint(folder).catch((error: unknown) => error);
        expect(checkpoint, `${name} = ${JSON.stringify(lie)}`).toBeInstanceOf(AtomoeError);
        const { code, message } = checkpoint as AtomoeError;
        expect(code).toBe(
          name === 'version' && Number(lie) > 1 && Number.isSafeInteger(lie)
            ? 'unsupported-model'
            : 'bad-file',
        );
        expect(message).toMatch(/^toy: .+; /);
        expect(open.size).toBe(0);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(500);
  });

  test('a pack of more files than anybody opens', async () => {
    const files = await packed({ splitBytes: STRIDE });
    const json = JSON.parse(text(files['atomoe.json']));
    json.layers = 3334;
    json.unitsPerLayer = 3;
    json.files = expertFiles(10_002, 1, STRIDE);
    const error = await failure(openCheckpoint(memoryFolder(withManifest(files, json))));
    expect(error.message).toMatch(/files is "10002 files", at most 10000 is wanted/);
  });

  test('hashes of other records are caught when the record is read', async () => {
    const files = await packed();
    const json = JSON.parse(text(files['atomoe.json']));
    json.hashes.reverse();
    const { records: pack } = await openCheckpoint(memoryFolder(withManifest(files, json)));
    expect((await failure(pack!.read(0, 0))).code).toBe('integrity');
  });
});

describe('writing', () => {
  test.each([1, 3, 8, 14])(
    'stopped after %i steps it is no packed model, and opening it says so',
    async (steps) => {
      const { files, sink } = memorySink();
      const stop = new AbortController();
      let done = 0;
      const onProgress = () => {
        if (++done === steps) stop.abort();
      };
      const writing = writePack(sink, contents(), { signal: stop.signal, onProgress });
      const reason: unknown = await writing.catch((error: unknown) => error);
      expect(stop.signal.aborted).toBe(true);
      expect(reason).toBe(stop.signal.reason);
      expect(Object.keys(files)).not.toContain('atomoe.json');
      const error = await failure(openCheckpoint(memoryFolder(files, 'half')));
      expect(error.code).toBe('bad-file');
      expect(error.message).toMatch(
        /^half: packing this model was not finished, [^.]*\.safetensors is there and/,
      );
    },
  );

  test('tells how far it is', async () => {
    const seen: [number, number][] = [];
    const files = await packed({ onProgress: (done, total) => seen.push([done, total]) });
    const total = 6 * STRIDE + files['dense.safetensors']!.length;
    expect(seen.at(-1)).toEqual([total, total]);
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).toSorted((a, b) => a - b));
  });

  test('a failing read fails the pack, without a manifest', async () => {
    const { files, sink } = memorySink();
    const read = async (layer: number, unit: number) => {
      if (layer === 1) throw new AtomoeError('network', 'gone');
      return record(layer, unit);
    };
    const experts = { ...contents().experts, read };
    expect((await failure(writePack(sink, contents({ experts })))).code).toBe('network');
    expect(Object.keys(files)).not.toContain('atomoe.json');
  });

  test('a file cannot be smaller than a record', async () => {
    const error = await failure(packed({ splitBytes: STRIDE - 1 }));
    expect(error.code).toBe('bad-input');
    expect(error.message).toMatch(/split at 4095 bytes, one expert record takes 4096/);
  });
});
