import { cp, mkdtemp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { LoadOptions } from '../engine/api.ts';
import { LocalEngine } from '../engine/index.ts';
import { draftModel, type Drafted } from '../engine/load/planning.ts';
import { editedModel, rounded, zeros } from '../engine/edited-model.testing.ts';
import { pageSize } from '../experts/pages.ts';
import { densePartsOf } from '../engine/load/weights.ts';
import { nodeFolder } from '../io/node-file.ts';
import { runProgram } from './program.testing.ts';
import { formatsText } from '../weights/record.ts';

// Models on the CPU: only a hang takes longer than this.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const root = resolve(import.meta.dirname, '../..');
const fixture = (name: string) => join(root, 'fixtures/models', name);
const trained = (name: string) => join(root, 'demo/public/models', name);

let scratch = '';
let count = 0;
const fresh = () => join(scratch, `pack-${++count}`);

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'atomoe-pack-'));
});
afterAll(() => rm(scratch, { recursive: true }));

/** Runs a command line and keeps what it says. `onStatus` hears the status line. */
const run = (argv: readonly string[], signal?: AbortSignal, onStatus: (text: string) => void = () => {}) =>
  runProgram(argv, { status: onStatus, ...(signal ? { signal } : {}) });

async function packed(model: string, ...options: string[]): Promise<string> {
  const folder = fresh();
  const { code, notes } = await run(['pack', model, folder, ...options]);
  expect(notes).toEqual([]);
  expect(code).toBe(0);
  return folder;
}

async function isSame(a: string, b: string, name: string): Promise<boolean> {
  return (await readFile(join(a, name))).equals(await readFile(join(b, name)));
}

async function draft(path: string, options: LoadOptions = {}): Promise<Drafted> {
  return draftModel(await nodeFolder(path), options);
}

async function logits(
  path: string,
  ids: readonly number[],
  options: LoadOptions = {},
): Promise<Float32Array> {
  const engine = await LocalEngine.open({ device: 'cpu' });
  try {
    await engine.load(await nodeFolder(path), options);
    return await engine.logits(ids);
  } finally {
    engine.dispose();
  }
}

const FORMS: [name: string, model: string, quantize: 'q8_0' | 'q4_0' | undefined][] = [
  ['olmoe', fixture('olmoe'), undefined],
  ['granitemoe, whose experts share tensors', fixture('granitemoe'), undefined],
  ['qwen2_moe, with shared experts', fixture('qwen2_moe'), 'q8_0'],
  ['mixtral', fixture('mixtral'), 'q4_0'],
  ['gpt_oss, with biases and transposed experts', fixture('gpt_oss'), 'q4_0'],
  ['deepseek_v3, with derived weights', fixture('deepseek_v3'), undefined],
  ['fable-moe-12m', trained('fable-moe-12m'), undefined],
  ['fable-omni-8m, in pages', trained('fable-omni-8m'), undefined],
  ['fable-omni-8m in q4_0', trained('fable-omni-8m'), 'q4_0'],
];

describe.each(FORMS)('%s', (_name, model, quantize) => {
  const load = quantize ? { quantize } : {};
  let folder = '';
  beforeAll(async () => {
    folder = await packed(model, ...(quantize ? ['--quantize', quantize] : []));
  });

  test('each record and each dense tensor is what it was', async () => {
    const [before, after] = [await draft(model, load), await draft(folder)];
    const { records: pack } = after.checkpoint;
    expect(pack).toBeDefined();
    const { layers, unitsPerLayer } = before.experts!;
    expect(after.experts).toMatchObject({
      layers,
      unitsPerLayer,
      recordBytes: before.experts!.recordBytes,
      expertSizeBytes: before.experts!.expertSizeBytes,
      records: layers * unitsPerLayer,
    });
    expect(after.experts!.layout(0)).toEqual(before.experts!.layout(0));
    for (let layer = 0; layer < layers; layer += 1) {
      for (let unit = 0; unit < unitsPerLayer; unit += 1) {
        const wanted = await before.experts!.read(layer, unit);
        const found = await after.experts!.read(layer, unit);
        expect(Buffer.compare(found, wanted), `record ${unit} of layer ${layer}`).toBe(0);
      }
    }
    const names = [...after.checkpoint.names()];
    for (const name of names) {
      const [wanted, found] = [await before.checkpoint.read(name), await after.checkpoint.read(name)];
      expect([found.dtype, found.shape]).toEqual([wanted.dtype, wanted.shape]);
      expect(Buffer.compare(found.bytes, wanted.bytes), name).toBe(0);
    }
    // What was left behind are the experts.
    const left = [...before.checkpoint.names()].filter((name) => !names.includes(name));
    expect(left.length).toBeGreaterThan(0);
    for (const name of left) expect(name).toMatch(/expert|moe|_embed\.weight|input_linear|output_linear/);
    for (const { checkpoint } of [before, after]) checkpoint.dispose();
  });

  test('the logits have the same bits', async () => {
    const ids = [1, 5, 3, 2, 40];
    expect(await logits(folder, ids, load)).toEqual(await logits(model, ids, load));
  });
});

test('verify accepts a pack', async () => {
  const folder = await packed(fixture('qwen3_moe'));
  const { code, out } = await run(['verify', folder, '--device', 'cpu']);
  expect(out).not.toContain('FAILED');
  expect(code).toBe(0);
});

test('the small files come along, and nothing of this disk', async () => {
  const model = trained('fable-moe-12m');
  const folder = await packed(model, '--split', '10000000');
  const files = await readdir(folder);
  for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']) {
    expect(await isSame(folder, model, name)).toBe(true);
  }
  // 192 records of 108 KiB each: 90 in a file.
  expect(files.filter((name) => name.endsWith('.bin')).toSorted()).toEqual([
    'experts-00001.bin',
    'experts-00002.bin',
    'experts-00003.bin',
  ]);
  expect(files.filter((name) => name.endsWith('.part'))).toEqual([]);
  const manifest = JSON.parse(await readFile(join(folder, 'atomoe.json'), 'utf8'));
  expect(manifest.source).toEqual({ label: 'fable-moe-12m', totalBytes: 24217400 });
  expect(await readFile(join(folder, 'atomoe.json'), 'utf8')).not.toContain(root);
});

test('says what it wrote, in words and as JSON', async () => {
  const { out } = await run(['pack', fixture('olmoe'), fresh()]);
  expect(out).toMatch(/^experts +24 records of 24\.6 kB, f32: 3 layers of 8$/m);
  expect(out).toMatch(/^files +1 of experts, 590 kB$/m);
  const { out: json } = await run(['pack', fixture('olmoe'), fresh(), '--json']);
  expect(JSON.parse(json)).toMatchObject({
    layers: 3,
    unitsPerLayer: 8,
    layout: { sizeBytes: 24576 },
  });
});

test('packs from a URL, and packs a pack', async () => {
  const model = fixture('qwen3_moe');
  const server = createServer((request, response) => {
    readFile(join(model, new URL(request.url ?? '', 'http://x').pathname)).then(
      (bytes) => {
        const [, from = '0', to = '0'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
        const part = bytes.subarray(Number(from), Number(to) + 1);
        const range = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
        response.writeHead(206, { 'content-range': range, 'content-length': part.length }).end(part);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as { port: number };
    const folder = await packed(`http://127.0.0.1:${port}/?token=secret`);
    const { source } = JSON.parse(await readFile(join(folder, 'atomoe.json'), 'utf8'));
    expect(source.label).toBe(`http://127.0.0.1:${port}/`);
    const local = await packed(model);
    const again = await packed(local);
    for (const name of ['dense.safetensors', 'experts-00001.bin', 'config.json']) {
      expect(await isSame(folder, local, name)).toBe(true);
      expect(await isSame(again, local, name)).toBe(true);
    }
  } finally {
    server.close();
  }
});

test('Ctrl-C leaves no manifest, and what is left says that it is no model', async () => {
  const folder = fresh();
  const stop = new AbortController();
  let statuses = 0;
  const { code, out } = await run(['pack', fixture('olmoe'), folder], stop.signal, (text) => {
    expect(text).toMatch(/^$|^packing: .+ of .+$/);
    if (++statuses === 30) stop.abort();
  });
  expect(code).toBe(130);
  expect(out).toBe('');
  expect(await readdir(folder)).not.toContain('atomoe.json');
  const { code: failed, notes } = await run(['inspect', folder]);
  expect(failed).toBe(1);
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(/packing this model was not finished.*; pack it again into a new folder$/);
});

test('two flipped bits of the dense part are found; a pack of before says that it cannot', async () => {
  const folder = await packed(fixture('olmoe'));
  const dense = await readFile(join(folder, 'dense.safetensors'));
  for (const at of [dense.length >> 1, dense.length - 7]) dense[at]! ^= 0x40;
  await writeFile(join(folder, 'dense.safetensors'), dense);
  const { code, notes } = await run(['logits', folder, '--device', 'cpu', '--ids', '1,2']);
  expect(code).toBe(1);
  expect(notes).toEqual([expect.stringMatching(/^atomoe: .*dense\.safetensors has wrong bytes: .*download/)]);

  const path = join(folder, 'atomoe.json');
  const { sections: _, ...before } = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify(before));
  for (const command of ['inspect', 'plan']) {
    const { out } = await run([command, folder]);
    expect(out).toMatch(/^note: this pack has no hashes of its dense part/m);
    expect(out.match(/^note: /gm)).toHaveLength(1);
  }
  const { code: opens } = await run(['logits', folder, '--device', 'cpu', '--ids', '1,2']);
  expect(opens).toBe(0);
});

describe('refuses', () => {
  test.each<[string, () => Promise<string[]>, RegExp]>([
    [
      'a folder that holds something',
      async () => {
        const folder = fresh();
        await mkdir(folder);
        await writeFile(join(folder, 'notes.txt'), 'mine');
        return [fixture('olmoe'), folder];
      },
      /holds notes\.txt, a new or empty folder is wanted; choose another/,
    ],
    ['its own model', async () => [fixture('olmoe'), fixture('olmoe')], /holds config\.json and 3 more/],
    ['a file', async () => [fixture('olmoe'), join(fixture('olmoe'), 'config.json')], /could not be written/],
    ['a missing model', async () => ['/no/such/model', fresh()], /\/no\/such\/model does not exist/],
    [
      'files smaller than a record',
      async () => [fixture('olmoe'), fresh(), '--split', '4096'],
      /split at 4096 bytes, one expert record takes 24576; choose/,
    ],
    [
      'a model without experts',
      async () => {
        const folder = fresh();
        await mkdir(folder);
        const dense = await editedModel(await nodeFolder(fixture('qwen3_moe')), {
          config: { mlp_only_layers: [0, 1, 2] },
          tensors: (tensors) => {
            for (const name of [...tensors.keys()].filter((key) => key.includes('.mlp.')))
              tensors.delete(name);
            for (const at of [0, 1, 2].map((layer) => `model.layers.${layer}.mlp.`)) {
              for (const name of ['gate_proj', 'up_proj'])
                tensors.set(`${at}${name}.weight`, zeros('F32', 96, 64));
              tensors.set(`${at}down_proj.weight`, zeros('F32', 64, 96));
            }
          },
        });
        for (const name of ['config.json', 'model.safetensors']) {
          const file = (await dense.open(name))!;
          await writeFile(join(folder, name), await file.read(0, file.sizeBytes));
        }
        return [folder, fresh()];
      },
      /this qwen3_moe model has no routed experts/,
    ],
    [
      'a link out of the folder, whatever it leads to',
      async () => {
        const folder = fresh();
        await cp(fixture('olmoe'), folder, { recursive: true });
        await writeFile(join(scratch, 'secret'), '{"a": 1}');
        await symlink(join(scratch, 'secret'), join(folder, 'tokenizer_config.json'));
        return [folder, fresh()];
      },
      /tokenizer_config\.json is a link to .*secret, a file of the folder itself is wanted/,
    ],
    [
      'to quantise a pack',
      async () => [await packed(fixture('olmoe')), fresh(), '--quantize', 'q8_0'],
      /is packed already, its experts are f32/,
    ],
  ])('%s', async (_name, argv, message) => {
    const { code, notes } = await run(['pack', ...(await argv())]);
    expect(code).toBe(1);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(/^atomoe: [^\n]+$/);
    expect(notes[0]).not.toContain('a bug');
    expect(notes[0]).toMatch(message);
  });

  test('an empty folder is taken', async () => {
    const folder = fresh();
    await mkdir(folder);
    expect((await run(['pack', fixture('olmoe'), folder])).code).toBe(0);
  });
});

test('quantising a packed model while loading leaves its experts as they are', async () => {
  const { experts, decode, context, checkpoint } = await draft(await packed(fixture('olmoe')), {
    quantize: 'q8_0',
  });
  expect(formatsText(experts!.layout(0))).toBe('f32');
  expect(
    new Set(decode.weights.flatMap((weight) => densePartsOf(weight, context).map(({ format }) => format))),
  ).toContain('q8_0');
  checkpoint.dispose();
});

test('a pack of another model than its config says is refused', async () => {
  const folder = await packed(fixture('olmoe'));
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  const records =
    /packed experts are 3 layers of 8 records of gate 32 x 64, up 32 x 64, down 64 x 32; config\.json wants /;
  for (const [field, value, message] of [
    ['num_experts', 16, records],
    ['intermediate_size', 64, records],
    ['hidden_size', 32, records],
    ['num_hidden_layers', 2, /num_hidden_layers is 2, the file has 3 layers/],
  ] as const) {
    await writeFile(path, JSON.stringify({ ...config, [field]: value }));
    const error: unknown = await draft(folder).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'AtomoeError', code: 'bad-file' });
    expect(String(error)).toMatch(message);
  }
});

test('experts of two formats are packed as they are', async () => {
  const source = fresh();
  await mkdir(source);
  const edited = await editedModel(await nodeFolder(fixture('mixtral')), {
    tensors: (tensors) => {
      for (const [name, tensor] of tensors) {
        if (/experts\.\d\.w[13]/.test(name)) tensors.set(name, rounded(tensor, 'BF16', 'BF16'));
      }
    },
  });
  for (const name of ['config.json', 'model.safetensors']) {
    const file = await edited.open(name);
    await writeFile(join(source, name), await file!.read(0, file!.sizeBytes));
  }
  const folder = await packed(source);
  const { experts, checkpoint } = await draft(folder);
  expect(formatsText(experts!.layout(0))).toBe('gate bf16, up bf16, down f32');
  checkpoint.dispose();
  const ids = [1, 5, 3, 2, 40];
  expect(await logits(folder, ids)).toEqual(await logits(source, ids));
});

test('a pack whose gate and up differ in format is refused: one kernel reads both', async () => {
  const folder = await packed(trained('fable-moe-12m'));
  const path = join(folder, 'atomoe.json');
  const manifest = JSON.parse(await readFile(path, 'utf8'));
  expect(manifest.record.parts.gate.format).toBe('f16');
  manifest.record.parts.gate.format = 'bf16';
  await writeFile(path, JSON.stringify(manifest));
  const error: unknown = await draft(folder).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'AtomoeError', code: 'unsupported-model' });
  expect(String(error)).toMatch(/packed experts have gate as bf16 and up as f16, which one kernel reads/);
});

test.each([
  // experts, grid, bytes of an expert, experts of a page
  [4096, 64, 768, 64], // a row of 48 KiB
  [4096, 64, 256, 64], // a row of 16 KiB
  [4096, 64, 252, 512], // a row a little shorter: 4 make 63 KiB, the next divisor is 8
  [4096, 64, 64, 1024], // 16 rows of 4 KiB
  [256, 16, 96, 256], // the whole table is less
  [1_048_576, 1024, 4096, 1024], // a row of 4 MiB
])('%i atomic experts in rows of %i, %i bytes each: pages of %i', (experts, grid, bytes, page) => {
  expect(Math.sqrt(experts)).toBe(grid);
  expect(pageSize(experts, bytes)).toBe(page);
});

test('help fits one screen', async () => {
  const { code, out } = await run(['pack', '--help']);
  expect(code).toBe(0);
  expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80);
});
