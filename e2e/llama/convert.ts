/** Writes a Qwen3-MoE checkpoint with its tokenizer as a GGUF file: every matrix in one type, as llama.cpp's own tools do. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/containers/index.ts';
import type { Checkpoint } from '../../src/containers/checkpoint.ts';
import { ggufBytes, type Written, type WrittenTensor } from '../../src/containers/gguf.testing.ts';
import { nodeFolder } from '../../src/io/node-file.ts';
import { loadFormats, weightFormat } from '../../src/weights/formats/index.ts';
import { f32ArrayToF16 } from '../../src/weights/half.ts';

/** The types that are written. */
export type GgufType = 'F32' | 'F16' | 'Q8_0' | 'Q4_0';

const NUMBERS: Readonly<Record<GgufType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8 };

const OUTER: readonly (readonly [string, string])[] = [
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
];

const INNER: readonly (readonly [string, string])[] = [
  ['attn_norm', 'input_layernorm'],
  ['attn_q', 'self_attn.q_proj'],
  ['attn_k', 'self_attn.k_proj'],
  ['attn_v', 'self_attn.v_proj'],
  ['attn_output', 'self_attn.o_proj'],
  ['attn_q_norm', 'self_attn.q_norm'],
  ['attn_k_norm', 'self_attn.k_norm'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['ffn_gate_inp', 'mlp.gate'],
];

const CONTROL = 3; // token types of llama.cpp
const NORMAL = 1;

/** The keys of config.json that are copied. */
interface Config {
  readonly num_hidden_layers: number;
  readonly num_experts: number;
  readonly num_experts_per_tok: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly hidden_size: number;
  readonly head_dim: number;
  readonly intermediate_size: number;
  readonly moe_intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly bos_token_id: number;
  readonly eos_token_id: number;
}

/** The parts of tokenizer.json that are copied. */
interface TokenizerJson {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly string[])[];
  };
  readonly added_tokens: readonly { readonly id: number }[];
}

/** @returns the bytes of a GGUF file */
export async function convert(folder: string, type: GgufType): Promise<Uint8Array<ArrayBuffer>> {
  const checkpoint = await openCheckpoint(await nodeFolder(folder));
  await loadFormats(['q8_0', 'q4_0']);
  const config = checkpoint.config as unknown as Config;
  const tensors: WrittenTensor[] = [];
  for (const [name, from] of OUTER) tensors.push(await tensor(checkpoint, name, [from], type));
  for (let layer = 0; layer < config.num_hidden_layers; layer += 1) {
    const at = `model.layers.${layer}.`;
    for (const [name, from] of INNER)
      tensors.push(await tensor(checkpoint, `blk.${layer}.${name}.weight`, [`${at}${from}.weight`], type));
    for (const matrix of ['gate', 'up', 'down']) {
      const names = Array.from(
        { length: config.num_experts },
        (_, expert) => `${at}mlp.experts.${expert}.${matrix}_proj.weight`,
      );
      tensors.push(await tensor(checkpoint, `blk.${layer}.ffn_${matrix}_exps.weight`, names, type));
    }
  }
  const metadata = { ...shapeKeys(config), ...(await tokenizerKeys(folder, config)) };
  checkpoint.dispose();
  return ggufBytes({ metadata, tensors });
}

function shapeKeys(config: Config): Record<string, Written> {
  const f32 = (value: number): Written => Math.fround(value) + (Number.isInteger(value) ? 1e-9 : 0);
  return {
    'general.architecture': 'qwen3moe',
    'general.name': 'Fable',
    'general.license': 'MIT',
    'general.alignment': 32,
    'qwen3moe.block_count': config.num_hidden_layers,
    'qwen3moe.context_length': config.max_position_embeddings,
    'qwen3moe.embedding_length': config.hidden_size,
    'qwen3moe.feed_forward_length': config.intermediate_size,
    'qwen3moe.attention.head_count': config.num_attention_heads,
    'qwen3moe.attention.head_count_kv': config.num_key_value_heads,
    'qwen3moe.attention.key_length': config.head_dim,
    'qwen3moe.attention.value_length': config.head_dim,
    'qwen3moe.attention.layer_norm_rms_epsilon': config.rms_norm_eps,
    'qwen3moe.rope.freq_base': f32(config.rope_theta),
    'qwen3moe.expert_count': config.num_experts,
    'qwen3moe.expert_used_count': config.num_experts_per_tok,
    'qwen3moe.expert_feed_forward_length': config.moe_intermediate_size,
  };
}

async function tokenizerKeys(folder: string, config: Config): Promise<Record<string, Written>> {
  const { model, added_tokens: added } = JSON.parse(
    await readFile(join(folder, 'tokenizer.json'), 'utf8'),
  ) as TokenizerJson;
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  const special = new Set(added.map(({ id }) => id));
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((_, id) => (special.has(id) ? CONTROL : NORMAL)),
    'tokenizer.ggml.merges': model.merges.map((merge) =>
      typeof merge === 'string' ? merge : merge.join(' '),
    ),
    'tokenizer.ggml.bos_token_id': config.bos_token_id,
    'tokenizer.ggml.eos_token_id': config.eos_token_id,
    'tokenizer.ggml.add_bos_token': true,
  };
}

/** A tensor, or several stacked; vectors and routers stay in f32. */
async function tensor(
  checkpoint: Checkpoint,
  name: string,
  from: readonly string[],
  type: GgufType,
): Promise<WrittenTensor> {
  const [first = ''] = from;
  const shape = checkpoint.tensor(first)?.shape ?? [];
  const [rows = 1, cols = 1] = shape.length === 1 ? [1, ...shape] : shape;
  const kept = shape.length === 1 || name.includes('ffn_gate_inp') ? 'F32' : type;
  const pieces: Uint8Array[] = [];
  for (const each of from) pieces.push(encode(await checkpoint.readF32(each), kept, rows, cols));
  const dims = [...shape].reverse();
  return {
    name,
    dims: from.length > 1 ? [...dims, from.length] : dims,
    type: NUMBERS[kept],
    bytes: Buffer.concat(pieces),
  };
}

function encode(values: Float32Array<ArrayBuffer>, type: GgufType, rows: number, cols: number): Uint8Array {
  if (type === 'F32') return new Uint8Array(values.buffer);
  if (type === 'F16') return new Uint8Array(f32ArrayToF16(values).buffer);
  const format = weightFormat(type.toLowerCase());
  const encoded = format.encode!(values, rows, cols);
  const blocks = (rows * cols) / 32;
  const quantBytes = type === 'Q8_0' ? 32 : 16;
  const out = new Uint8Array(blocks * (2 + quantBytes));
  const scales = encoded.subarray(blocks * quantBytes);
  for (let block = 0; block < blocks; block += 1) {
    const at = block * (2 + quantBytes);
    out.set(scales.subarray(2 * block, 2 * block + 2), at);
    out.set(encoded.subarray(block * quantBytes, (block + 1) * quantBytes), at + 2);
  }
  return out;
}
