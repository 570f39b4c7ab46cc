/** Models of real sizes without their weights: headers say what would be there. Not part of the library. */
import type { FileSource, FolderSource } from '../io/source.ts';
import { memoryFile } from '../io/memory.ts';

type Shape = readonly [name: string, shape: readonly number[]];

/** Qwen3-30B-A3B and its like; few layers show what many do. */
export interface MoeShape {
  readonly layers: number;
  readonly hidden: number;
  readonly width: number;
  readonly experts: number;
  readonly topK: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
}

export const QWEN3_30B: MoeShape = {
  layers: 48,
  hidden: 2048,
  width: 768,
  experts: 128,
  topK: 8,
  heads: 32,
  kvHeads: 4,
  headDim: 128,
  vocab: 151_936,
};

/** Mixtral-8x7B's sizes, under Qwen3's names. */
export const MIXTRAL_8X7B: MoeShape = {
  layers: 32,
  hidden: 4096,
  width: 14_336,
  experts: 8,
  topK: 2,
  heads: 32,
  kvHeads: 8,
  headDim: 128,
  vocab: 32_000,
};

function tensorsOf(model: MoeShape): Shape[] {
  const { layers, hidden, width, experts, heads, kvHeads, headDim, vocab } = model;
  const list: Shape[] = [
    ['model.embed_tokens.weight', [vocab, hidden]],
    ['lm_head.weight', [vocab, hidden]],
    ['model.norm.weight', [hidden]],
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    list.push(
      [`${at}.input_layernorm.weight`, [hidden]],
      [`${at}.post_attention_layernorm.weight`, [hidden]],
      [`${at}.self_attn.q_norm.weight`, [headDim]],
      [`${at}.self_attn.k_norm.weight`, [headDim]],
      [`${at}.self_attn.q_proj.weight`, [heads * headDim, hidden]],
      [`${at}.self_attn.k_proj.weight`, [kvHeads * headDim, hidden]],
      [`${at}.self_attn.v_proj.weight`, [kvHeads * headDim, hidden]],
      [`${at}.self_attn.o_proj.weight`, [hidden, heads * headDim]],
      [`${at}.mlp.gate.weight`, [experts, hidden]],
    );
    for (let expert = 0; expert < experts; expert += 1) {
      const of = `${at}.mlp.experts.${expert}`;
      list.push([`${of}.gate_proj.weight`, [width, hidden]], [`${of}.up_proj.weight`, [width, hidden]]);
      list.push([`${of}.down_proj.weight`, [hidden, width]]);
    }
  }
  return list;
}

/** A folder in bf16 whose weights no one can read. */
export function headersOnly(model: MoeShape): FolderSource {
  let at = 0;
  const entries = tensorsOf(model).map(([name, shape]) => {
    const from = at;
    at += 2 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: 'BF16', shape, data_offsets: [from, at] }] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const head = new Uint8Array(8 + json.byteLength);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.byteLength), true);
  head.set(json, 8);
  const weights: FileSource = {
    ...memoryFile('model.safetensors', head),
    sizeBytes: head.byteLength + at,
    async read(offsetBytes, sizeBytes) {
      if (offsetBytes + sizeBytes > head.byteLength) throw new Error('there are headers only');
      return head.slice(offsetBytes, offsetBytes + sizeBytes);
    },
  };
  const config = {
    model_type: 'qwen3_moe',
    hidden_size: model.hidden,
    intermediate_size: model.width,
    moe_intermediate_size: model.width,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.kvHeads,
    head_dim: model.headDim,
    num_experts: model.experts,
    num_experts_per_tok: model.topK,
    norm_topk_prob: true,
    decoder_sparse_step: 1,
    mlp_only_layers: [],
    vocab_size: model.vocab,
    max_position_embeddings: 32_768,
    rope_theta: 1_000_000,
    rms_norm_eps: 1e-6,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    attention_bias: false,
    eos_token_id: 1,
  };
  const files = [memoryFile('config.json', new TextEncoder().encode(JSON.stringify(config))), weights];
  return { label: 'headers', open: async (wanted) => files.find(({ name }) => name === wanted) };
}
