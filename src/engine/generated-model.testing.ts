/** A Mixture of Experts of any size whose weights are made as they are read, so that a gigabyte of them costs nothing. */
import { recordLayout, scalesOffsetBytes, type RecordLayout } from '../weights/record.ts';
import { HASH_BYTES, hashBytes } from '../containers/pack/block-hashes.ts';
import { matrixLayout } from '../weights/matrix.ts';
import {
  DENSE_FILE,
  expertFiles,
  MANIFEST_FILE,
  recordStride,
  type PackFile,
} from '../containers/pack/files.ts';
import { formatManifest } from '../containers/pack/manifest.ts';
import { memoryFile } from '../io/memory.ts';
import { checkRange } from '../io/read.ts';
import type { FileSource, FolderSource } from '../io/source.ts';
import { uniform } from './talk/random.ts';

export interface GeneratedShape {
  readonly layers: number;
  readonly hidden: number;
  readonly width: number; // of an expert
  readonly experts: number;
  readonly topK: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly contextTokens: number;
}

/** At least a gigabyte of experts as Q8_0, a layer of them just small enough for the portable binding. */
export const GIGABYTE_MODEL: GeneratedShape = {
  layers: 8,
  hidden: 640,
  width: 512,
  experts: 128,
  topK: 8,
  heads: 8,
  kvHeads: 2,
  headDim: 64,
  vocab: 512,
  contextTokens: 128,
};

const HALF_BYTES = 2;
const ONE = 0x3c00; // as a half

/** A prime, so that no two experts have the same weights. */
const PERIOD = 1_048_573;

/** Random words, each made of a random one by `of`. */
function words(of: (random: number) => number): Uint8Array<ArrayBuffer> {
  let state = 0x9e3779b9;
  const halves = Uint16Array.from({ length: PERIOD }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return of(state);
  });
  return new Uint8Array(halves.buffer);
}

/** Halves of either sign between 1/32 and 1/16: sums of hundreds of products stay near one. */
const weightHalf = (random: number) => (random & 0x83ff) | 0x2800;
/** Scales between 1/2048 and 1/1024: with any bytes as quants, weights are about as large as above. */
const scaleHalf = (random: number) => (random & 0x03ff) | 0x1000;
const anyHalf = (random: number) => random & 0xffff;

/** Fills `out` from an endlessly repeated table, from byte `from` of it. */
function copyCyclic(out: Uint8Array, table: Uint8Array, from: number): void {
  for (let at = 0; at < out.byteLength;) {
    const start = (from + at) % table.byteLength;
    const part = table.subarray(start, start + out.byteLength - at);
    out.set(part, at);
    at += part.byteLength;
  }
}

type Tensor = readonly [name: string, shape: readonly number[]];

/** Norms are ones: they come first in the file, and nothing else is. */
function norms({ layers, hidden, headDim }: GeneratedShape): Tensor[] {
  const list: Tensor[] = [['model.norm.weight', [hidden]]];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    list.push(
      [`${at}.input_layernorm.weight`, [hidden]],
      [`${at}.post_attention_layernorm.weight`, [hidden]],
      [`${at}.self_attn.q_norm.weight`, [headDim]],
      [`${at}.self_attn.k_norm.weight`, [headDim]],
    );
  }
  return list;
}

function matrices(shape: GeneratedShape): Tensor[] {
  const { layers, hidden, experts, heads, kvHeads, headDim, vocab } = shape;
  const list: Tensor[] = [
    ['model.embed_tokens.weight', [vocab, hidden]],
    ['lm_head.weight', [vocab, hidden]],
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    list.push(
      [`${at}.self_attn.q_proj.weight`, [heads * headDim, hidden]],
      [`${at}.self_attn.k_proj.weight`, [kvHeads * headDim, hidden]],
      [`${at}.self_attn.v_proj.weight`, [kvHeads * headDim, hidden]],
      [`${at}.self_attn.o_proj.weight`, [hidden, heads * headDim]],
      [`${at}.mlp.gate.weight`, [experts, hidden]],
    );
  }
  return list;
}

function sizeOf(tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, [, shape]) => sum + HALF_BYTES * shape.reduce((a, b) => a * b, 1), 0);
}

function headerOf(tensors: readonly Tensor[]): Uint8Array {
  let at = 0;
  const entries = tensors.map((tensor) => {
    const from = at;
    at += sizeOf([tensor]);
    return [tensor[0], { dtype: 'F16', shape: tensor[1], data_offsets: [from, at] }] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const bytes = new Uint8Array(8 + json.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  bytes.set(json, 8);
  return bytes;
}

/** Every tensor but the routed experts; of the file only the header exists. */
function denseFile(shape: GeneratedShape): FileSource {
  const ones = norms(shape);
  const rest = matrices(shape);
  const head = headerOf([...ones, ...rest]);
  const onesEnd = head.byteLength + sizeOf(ones);
  const table = words(weightHalf);
  const file: FileSource = {
    name: DENSE_FILE,
    sizeBytes: onesEnd + sizeOf(rest),
    async read(offsetBytes, sizeBytes, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(file, offsetBytes, sizeBytes);
      const bytes = new Uint8Array(sizeBytes);
      const end = offsetBytes + sizeBytes;
      if (offsetBytes < head.byteLength) bytes.set(head.subarray(offsetBytes, end));
      for (let at = Math.max(offsetBytes, head.byteLength); at < Math.min(end, onesEnd); at += 1)
        bytes[at - offsetBytes] = (at - head.byteLength) % HALF_BYTES === 0 ? ONE & 0xff : ONE >>> 8;
      const from = Math.max(offsetBytes, onesEnd);
      if (from < end) copyCyclic(bytes.subarray(from - offsetBytes), table, from - onesEnd);
      return bytes;
    },
  };
  return file;
}

/** One record after another, each made when it is read. */
function recordFile({ name, sizeBytes }: PackFile, strideBytes: number, make: MakeRecord): FileSource {
  const file: FileSource = {
    name,
    sizeBytes,
    async read(offsetBytes, wantedBytes, { signal } = {}) {
      signal?.throwIfAborted();
      checkRange(file, offsetBytes, wantedBytes);
      const bytes = new Uint8Array(wantedBytes);
      const end = offsetBytes + wantedBytes;
      for (let index = Math.floor(offsetBytes / strideBytes); index * strideBytes < end; index += 1) {
        const start = index * strideBytes;
        const skip = Math.max(0, offsetBytes - start);
        bytes.set(make(index).subarray(skip, end - start), start + skip - offsetBytes);
      }
      return bytes;
    },
  };
  return file;
}

type MakeRecord = (index: number) => Uint8Array<ArrayBuffer>;

/** Records of Q8_0 matrices as a function of their number. */
function recordMaker(layout: RecordLayout): MakeRecord {
  const quants = words(anyHalf);
  const scales = words(scaleHalf);
  return (index) => {
    const record = new Uint8Array(layout.sizeBytes);
    for (const part of Object.values(layout.parts)) {
      const { format, rows, cols, offsetBytes } = part;
      const { sizeBytes } = matrixLayout(format, rows, cols);
      const scalesAt = scalesOffsetBytes(part);
      const from = index * layout.sizeBytes + offsetBytes;
      copyCyclic(record.subarray(offsetBytes, scalesAt), quants, from);
      copyCyclic(record.subarray(scalesAt, offsetBytes + sizeBytes), scales, from);
    }
    return record;
  };
}

async function hashesOf({ layers, experts }: GeneratedShape, make: MakeRecord) {
  const hashes = Array.from({ length: layers }, () => new Uint8Array(experts * HASH_BYTES));
  for (const [layer, hash] of hashes.entries()) {
    for (let expert = 0; expert < experts; expert += 1)
      hash.set(await hashBytes(make(layer * experts + expert)), expert * HASH_BYTES);
  }
  return hashes;
}

/**
 * A packed model, for `engine.load`: its experts are Q8_0, and need not be encoded when they are read. It has no
 * tokenizer: give it ids.
 */
export async function generatedModel(
  shape: GeneratedShape,
  label = 'generated model',
): Promise<FolderSource> {
  const config = {
    model_type: 'qwen3_moe',
    hidden_size: shape.hidden,
    intermediate_size: shape.width,
    moe_intermediate_size: shape.width,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    num_experts: shape.experts,
    num_experts_per_tok: shape.topK,
    norm_topk_prob: true,
    decoder_sparse_step: 1,
    mlp_only_layers: [],
    vocab_size: shape.vocab,
    max_position_embeddings: shape.contextTokens,
    rope_theta: 10_000,
    rms_norm_eps: 1e-6,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    attention_bias: false,
    eos_token_id: shape.vocab - 1,
  };
  const { layers, experts, hidden, width } = shape;
  const across = [width, hidden] as const;
  const layout = recordLayout('q8_0', { gate: across, up: across, down: [hidden, width] });
  const make = recordMaker(layout);
  const strideBytes = recordStride(layout.sizeBytes);
  const packFiles = expertFiles(layers * experts, layers * experts, strideBytes);
  const dense = denseFile(shape);
  const manifest = formatManifest({
    source: { label, totalBytes: 0 },
    denseBytes: dense.sizeBytes,
    layout,
    layers,
    unitsPerLayer: experts,
    files: packFiles,
    hashes: await hashesOf(shape, make),
    denseHashes: undefined,
    places: undefined,
  });
  const text = (name: string, content: string) => memoryFile(name, new TextEncoder().encode(content));
  const files = [
    text('config.json', JSON.stringify(config)),
    text(MANIFEST_FILE, manifest),
    dense,
    ...packFiles.map((file) => recordFile(file, strideBytes, make)),
  ];
  return { label, open: async (wanted) => files.find(({ name }) => name === wanted) };
}

/** Ids of which some come often and most come rarely, as words do. */
export function generatedIds(count: number, vocab: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor(vocab * uniform(seed, index) ** 3));
}
