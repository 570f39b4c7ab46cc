/** The model as a Hugging Face folder of family `mixtral`, made piece by piece as the engine asks for it. */
import { memoryFile } from '../../src/io/memory.ts';
import type { FileSource, FolderSource } from '../../src/io/source.ts';
import { dequantize, type ModelWeights, type Q4Matrix } from './model.ts';

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly values: (from: number, count: number) => Float32Array;
}

function matrixEntry(name: string, matrix: Q4Matrix): Entry {
  const { rows, cols } = matrix;
  return {
    name,
    shape: [rows, cols],
    elements: rows * cols,
    values: (from, count) => dequantize(matrix, from, count),
  };
}

function vectorEntry(name: string, vector: Float32Array): Entry {
  return {
    name,
    shape: [vector.length],
    elements: vector.length,
    values: (from, count) => vector.subarray(from, from + count),
  };
}

function entries({ embedding, layers, norm, head }: ModelWeights): Entry[] {
  const list = [matrixEntry('model.embed_tokens.weight', embedding)];
  for (const [index, layer] of layers.entries()) {
    const prefix = `model.layers.${index}`;
    list.push(vectorEntry(`${prefix}.input_layernorm.weight`, layer.attentionNorm));
    for (const name of ['q', 'k', 'v', 'o'] as const) {
      list.push(matrixEntry(`${prefix}.self_attn.${name}_proj.weight`, layer[name]));
    }
    list.push(vectorEntry(`${prefix}.post_attention_layernorm.weight`, layer.mlpNorm));
    list.push(matrixEntry(`${prefix}.block_sparse_moe.gate.weight`, layer.router));
    for (const [expert, { gate, up, down }] of layer.experts.entries()) {
      const at = `${prefix}.block_sparse_moe.experts.${expert}`;
      list.push(matrixEntry(`${at}.w1.weight`, gate));
      list.push(matrixEntry(`${at}.w3.weight`, up));
      list.push(matrixEntry(`${at}.w2.weight`, down));
    }
  }
  list.push(vectorEntry('model.norm.weight', norm), matrixEntry('lm_head.weight', head));
  return list;
}

const ELEMENT_BYTES = 2; // bf16

function header(list: readonly Entry[]): Uint8Array {
  let at = 0;
  const tensors: Record<string, unknown> = {};
  for (const { name, shape, elements } of list) {
    const end = at + elements * ELEMENT_BYTES;
    tensors[name] = { dtype: 'BF16', shape, data_offsets: [at, end] };
    at = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(tensors));
  const bytes = new Uint8Array(8 + json.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  bytes.set(json, 8);
  return bytes;
}

/** All values are exact in bf16: their upper halves are the numbers. */
function bf16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => word >>> 16);
}

/** A safetensors file that exists only as far as it is read. */
function weightFile(name: string, list: readonly Entry[]): FileSource {
  const head = header(list);
  const starts: number[] = [];
  let sizeBytes = head.byteLength;
  for (const { elements } of list) {
    starts.push(sizeBytes);
    sizeBytes += elements * ELEMENT_BYTES;
  }
  return {
    name,
    sizeBytes,
    async read(offsetBytes, wantedBytes) {
      const bytes = new Uint8Array(wantedBytes);
      const end = offsetBytes + wantedBytes;
      if (offsetBytes < head.byteLength) bytes.set(head.subarray(offsetBytes, end));
      for (const [index, entry] of list.entries()) {
        const start = starts[index] ?? 0;
        const from = Math.max(offsetBytes, start);
        const to = Math.min(end, start + entry.elements * ELEMENT_BYTES);
        if (from >= to) continue;
        const first = Math.floor((from - start) / ELEMENT_BYTES);
        const last = Math.ceil((to - start) / ELEMENT_BYTES);
        const part = new Uint8Array(bf16(entry.values(first, last - first)).buffer);
        const skip = from - start - first * ELEMENT_BYTES;
        bytes.set(part.subarray(skip, skip + to - from), from - offsetBytes);
      }
      return bytes;
    },
  };
}

/** The folder that `engine.load` takes. */
export function checkpointFolder(weights: ModelWeights, label = 'generated Q4 model'): FolderSource {
  const { shape } = weights;
  const config = {
    model_type: 'mixtral',
    hidden_size: shape.hidden,
    intermediate_size: shape.ffn,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    num_local_experts: shape.experts,
    num_experts_per_tok: shape.topK,
    vocab_size: shape.vocab,
    max_position_embeddings: shape.contextTokens,
    rope_theta: shape.theta,
    rms_norm_eps: shape.eps,
    hidden_act: 'silu',
    sliding_window: null,
    tie_word_embeddings: false,
    eos_token_id: shape.vocab - 1,
  };
  const file = weightFile('model.safetensors', entries(weights));
  return {
    label,
    open: async (name) => {
      if (name === 'config.json') return memoryFile(name, new TextEncoder().encode(JSON.stringify(config)));
      return name === file.name ? file : undefined;
    },
  };
}
