/** What the tests of streaming share: the page that has the library, models to serve, and a typed way to drive it. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright/test';
import { build } from 'vite';
import { openCheckpoint } from '../src/containers/index.ts';
import { writePack, type RecordSource } from '../src/containers/pack/writer.ts';
import { copyTensor, safetensorsPieces, type TensorToWrite } from '../src/containers/safetensors-writer.ts';
import { nodeFolder } from '../src/io/node-file.ts';
import type { lab as Lab } from './streaming-page/main.ts';
import { root } from './packed.ts';
import type { RecordPart } from '../src/weights/record.ts';

export const FABLE = join(root, 'demo/public/models/fable-moe-12m');

/** A folder of this run, with the built page in `page`. */
export async function openWorkplace(): Promise<{ folder: string; page: string; close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'atomoe-streaming-'));
  const page = join(folder, 'page');
  await build({
    configFile: false,
    root: join(root, 'e2e/streaming-page'),
    base: './',
    logLevel: 'warn',
    worker: { format: 'es' },
    build: { outDir: page, emptyOutDir: true, target: 'es2022', minify: false, reportCompressedSize: false },
  });
  return { folder, page, close: () => rm(folder, { recursive: true, force: true }) };
}

type AnyFunction = (...args: never[]) => unknown;

/** Calls a function of the page's lab. */
export function call<N extends keyof typeof Lab>(
  page: Page,
  name: N,
  ...args: Parameters<(typeof Lab)[N]>
): Promise<Awaited<ReturnType<(typeof Lab)[N]>>> {
  const run = ([wanted, given]: readonly [string, readonly unknown[]]) => {
    const { lab } = globalThis as unknown as { lab: Record<string, AnyFunction> };
    return lab[wanted]?.(...(given as never[]));
  };
  return page.evaluate(run, [name, args] as const) as Promise<Awaited<ReturnType<(typeof Lab)[N]>>>;
}

/** A page with the lab; `onReached` is called when a reply has come as far as a test wanted. */
export async function openLab(page: Page, url: string, onReached: () => Promise<void>): Promise<void> {
  await page.exposeFunction('reached', onReached);
  await page.goto(url);
  await page.waitForFunction(() => 'lab' in globalThis);
}

const PARTS = ['gate', 'up', 'down'] as const;

/** The fable as a packed model: each expert is one record with a hash. */
export async function packFable(folder: string): Promise<string> {
  const out = join(folder, 'packed');
  await mkdir(out);
  const source = await nodeFolder(FABLE);
  const checkpoint = await openCheckpoint(source);
  const isExpert = (name: string) => /\.experts\.\d+\./.test(name);
  const nameOf = (layer: number, unit: number, part: string) =>
    `model.layers.${layer}.mlp.experts.${unit}.${part}_proj.weight`;
  const parts: Record<string, RecordPart> = {};
  let sizeBytes = 0;
  for (const part of PARTS) {
    const [rows = 0, cols = 0] = checkpoint.tensor(nameOf(0, 0, part))?.shape ?? [];
    parts[part] = { format: 'f16', rows, cols, offsetBytes: sizeBytes };
    sizeBytes += 2 * rows * cols; // a multiple of 256 here
  }
  const experts: RecordSource = {
    layout: { parts, sizeBytes },
    layers: 6,
    unitsPerLayer: 32,
    async read(layer, unit) {
      const record = new Uint8Array(sizeBytes);
      for (const part of PARTS) {
        record.set((await checkpoint.read(nameOf(layer, unit, part))).bytes, parts[part]?.offsetBytes);
      }
      return record;
    },
  };
  const copies = await Promise.all(
    ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) =>
      source.open(name),
    ),
  );
  const sink = {
    async create(name: string) {
      const pieces: Uint8Array[] = [];
      return {
        write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()),
        close: () => writeFile(join(out, name), Buffer.concat(pieces)),
      };
    },
    commit: (name: string, bytes: Uint8Array) => writeFile(join(out, name), bytes),
  };
  const dense = [...checkpoint.names()]
    .filter((name) => !isExpert(name))
    .map((name) => copyTensor(checkpoint, name));
  await writePack(sink, {
    source: { label: 'fable', totalBytes: checkpoint.totalBytes },
    dense,
    metadata: {},
    experts,
    copies: copies.filter((file) => file !== undefined),
  });
  checkpoint.dispose();
  return out;
}

/** A model of random numbers in which 8 of 64 experts make a token. */
export const WIDE = {
  layers: 4,
  hidden: 128,
  width: 128,
  experts: 64,
  topK: 8,
  expertBytes: 3 * 128 * 128 * 2,
};

export async function writeWide(folder: string): Promise<{ path: string; denseBytes: number }> {
  const path = join(folder, 'wide');
  await mkdir(path);
  const { layers, hidden, width, experts, topK } = WIDE;
  const config = JSON.parse(await readFile(join(FABLE, 'config.json'), 'utf8')) as Record<string, unknown>;
  const vocab = config['vocab_size'] as number;
  const own = {
    num_hidden_layers: layers,
    hidden_size: hidden,
    moe_intermediate_size: width,
    num_experts: experts,
    num_experts_per_tok: topK,
    num_attention_heads: 4,
  };
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, ...own }));
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    await writeFile(join(path, name), await readFile(join(FABLE, name)));
  }
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const f16 = (name: string, rows: number, cols: number): TensorToWrite => ({
    name,
    dtype: 'F16',
    shape: [rows, cols],
    async *pieces() {
      const words = new Uint16Array(rows * cols);
      for (let i = 0; i < words.length; i += 1)
        words[i] = 0x2800 + ((random() >>> 16) % 0x600) + ((random() >>> 31) << 15);
      yield new Uint8Array(words.buffer);
    },
  });
  const f32 = (name: string, shape: readonly number[], value: () => number): TensorToWrite => ({
    name,
    dtype: 'F32',
    shape,
    async *pieces() {
      yield new Uint8Array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value).buffer);
    },
  });
  const one = () => 1;
  const tensors: TensorToWrite[] = [f16('model.embed_tokens.weight', vocab, hidden)];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    tensors.push(
      f32(`${at}.input_layernorm.weight`, [hidden], one),
      f32(`${at}.post_attention_layernorm.weight`, [hidden], one),
      f32(`${at}.self_attn.q_norm.weight`, [32], one),
      f32(`${at}.self_attn.k_norm.weight`, [32], one),
      f32(`${at}.mlp.gate.weight`, [experts, hidden], () => random() / 2 ** 32 - 0.5),
      f16(`${at}.self_attn.q_proj.weight`, 128, hidden),
      f16(`${at}.self_attn.k_proj.weight`, 64, hidden),
      f16(`${at}.self_attn.v_proj.weight`, 64, hidden),
      f16(`${at}.self_attn.o_proj.weight`, hidden, 128),
    );
    for (let expert = 0; expert < experts; expert += 1) {
      tensors.push(
        f16(`${at}.mlp.experts.${expert}.gate_proj.weight`, width, hidden),
        f16(`${at}.mlp.experts.${expert}.up_proj.weight`, width, hidden),
        f16(`${at}.mlp.experts.${expert}.down_proj.weight`, hidden, width),
      );
    }
  }
  tensors.push(f32('model.norm.weight', [hidden], one));
  const pieces: Uint8Array[] = [];
  for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
  const weights = Buffer.concat(pieces);
  await writeFile(join(path, 'model.safetensors'), weights);
  const small = await Promise.all(
    ['config.json', 'tokenizer.json', 'tokenizer_config.json'].map((name) => readFile(join(path, name))),
  );
  const smallBytes = small.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { path, denseBytes: smallBytes + weights.byteLength - layers * experts * WIDE.expertBytes };
}
