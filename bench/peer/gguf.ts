/** The model as a GGUF file of the architecture `llama`, for llama.cpp: the same 4-bit values in its own blocks (Q4_0). */
import { f32ToF16 } from '../../src/weights/half.ts';
import { byteVocabulary, ggufHeader, paddingBytes, type GgufValue } from '../gguf-file.ts';
import { BLOCK, dequantize, type ModelWeights, type Q4Matrix } from './model.ts';

const TYPES = { f32: 0, q4_0: 2 } as const; // ggml_type

interface Tensor {
  readonly name: string;
  readonly dims: readonly number[]; // the fastest first
  readonly type: keyof typeof TYPES;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Blocks of 18 bytes: an f16 scale, then weight j in the low half of byte j and weight j + 16 in its high half. */
function q4_0(matrix: Q4Matrix): Uint8Array<ArrayBuffer> {
  const { quants, scales } = matrix;
  const bytes = new Uint8Array(scales.length * 18);
  const view = new DataView(bytes.buffer);
  const quant = (index: number) => ((quants[index >> 1] ?? 0) >> (index % 2 === 0 ? 0 : 4)) & 15;
  for (const [block, scale] of scales.entries()) {
    const at = block * 18;
    view.setUint16(at, f32ToF16(scale), true);
    for (let j = 0; j < BLOCK / 2; j += 1)
      bytes[at + 2 + j] = quant(block * BLOCK + j) | (quant(block * BLOCK + BLOCK / 2 + j) << 4);
  }
  return bytes;
}

function matrix(name: string, one: Q4Matrix): Tensor {
  return { name: `${name}.weight`, dims: [one.cols, one.rows], type: 'q4_0', bytes: q4_0(one) };
}

function stacked(name: string, list: readonly Q4Matrix[]): Tensor {
  const parts = list.map(q4_0);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  const [first] = list;
  const dims = [first?.cols ?? 0, first?.rows ?? 0, list.length];
  return { name: `${name}.weight`, dims, type: 'q4_0', bytes };
}

function floats(name: string, values: Float32Array, dims: readonly number[]): Tensor {
  return { name: `${name}.weight`, dims, type: 'f32', bytes: new Uint8Array(values.slice().buffer) };
}

function tensors({ embedding, layers, norm, head }: ModelWeights): Tensor[] {
  const vector = (name: string, values: Float32Array) => floats(name, values, [values.length]);
  const list = [matrix('token_embd', embedding), vector('output_norm', norm), matrix('output', head)];
  for (const [index, layer] of layers.entries()) {
    const at = `blk.${index}`;
    const { router, experts } = layer;
    list.push(
      vector(`${at}.attn_norm`, layer.attentionNorm),
      matrix(`${at}.attn_q`, layer.q),
      matrix(`${at}.attn_k`, layer.k),
      matrix(`${at}.attn_v`, layer.v),
      matrix(`${at}.attn_output`, layer.o),
      vector(`${at}.ffn_norm`, layer.mlpNorm),
      floats(`${at}.ffn_gate_inp`, dequantize(router, 0, router.rows * router.cols), [
        router.cols,
        router.rows,
      ]),
      stacked(
        `${at}.ffn_gate_exps`,
        experts.map(({ gate }) => gate),
      ),
      stacked(
        `${at}.ffn_up_exps`,
        experts.map(({ up }) => up),
      ),
      stacked(
        `${at}.ffn_down_exps`,
        experts.map(({ down }) => down),
      ),
    );
  }
  return list;
}

/** The parts of the file, in order. */
export function ggufModel(weights: ModelWeights): Uint8Array<ArrayBuffer>[] {
  const { shape } = weights;
  const own: Record<string, GgufValue> = {
    'general.architecture': { text: 'llama' },
    'general.name': { text: 'generated Q4 model' },
    'general.file_type': { u32: 2 },
    'llama.vocab_size': { u32: shape.vocab },
    'llama.context_length': { u32: shape.contextTokens },
    'llama.embedding_length': { u32: shape.hidden },
    'llama.block_count': { u32: shape.layers },
    'llama.feed_forward_length': { u32: shape.ffn },
    'llama.attention.head_count': { u32: shape.heads },
    'llama.attention.head_count_kv': { u32: shape.kvHeads },
    'llama.attention.key_length': { u32: shape.headDim },
    'llama.attention.value_length': { u32: shape.headDim },
    'llama.attention.layer_norm_rms_epsilon': { f32: shape.eps },
    'llama.rope.dimension_count': { u32: shape.headDim },
    'llama.rope.freq_base': { f32: shape.theta },
    'llama.expert_count': { u32: shape.experts },
    'llama.expert_used_count': { u32: shape.topK },
    ...byteVocabulary(shape.vocab),
  };
  const list = tensors(weights);
  const infos = list.map(({ type, bytes, ...info }) => ({
    ...info,
    typeNumber: TYPES[type],
    sizeBytes: bytes.byteLength,
  }));
  const data = list.flatMap(({ bytes }) => [bytes, new Uint8Array(paddingBytes(bytes.byteLength))]);
  return [...ggufHeader(own, infos), ...data];
}
