/** A tiny chat model in memory, whole and packed: what the cases damage. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../../src/cli/program.ts';
import { safetensorsPieces, type TensorToWrite } from '../../src/containers/safetensors-writer.ts';
import { Chooser } from './random.ts';
import type { Json } from './mutate.ts';

export type Files = Readonly<Record<string, Uint8Array | string>>;

const HIDDEN = 16;
const WIDTH = 8;
const EXPERTS = 4;
const LAYERS = 2;
export const WORDS = ['A', 'B', 'C', 'D', 'E', 'user', 'assistant', 'system', 'Ġ', 'Ċ', 'Ġone', 'Ġtwo'];
export const SPECIAL = ['<|end|>', '<|im_start|>', '<|im_end|>', '<|unk|>'];
export const VOCAB = WORDS.length + SPECIAL.length;

export const CONFIG = {
  architectures: ['Qwen3MoeForCausalLM'],
  model_type: 'qwen3_moe',
  hidden_size: HIDDEN,
  intermediate_size: WIDTH,
  moe_intermediate_size: WIDTH,
  num_hidden_layers: LAYERS,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  num_experts: EXPERTS,
  num_experts_per_tok: 2,
  norm_topk_prob: true,
  decoder_sparse_step: 1,
  mlp_only_layers: [],
  vocab_size: VOCAB,
  max_position_embeddings: 64,
  rope_theta: 10_000,
  rope_scaling: null,
  rms_norm_eps: 1e-6,
  hidden_act: 'silu',
  tie_word_embeddings: false,
  attention_bias: false,
  sliding_window: null,
  bos_token_id: 0,
  eos_token_id: 0,
  torch_dtype: 'float32',
} satisfies Json;

export const GENERATION = {
  eos_token_id: [0, 2],
  do_sample: true,
  temperature: 0.7,
  top_k: 4,
  top_p: 0.9,
  repetition_penalty: 1.1,
  max_new_tokens: 3,
} satisfies Json;

export const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] | trim + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

export const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: SPECIAL.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: { type: 'NFC' },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: '<|unk|>',
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: true,
    vocab: Object.fromEntries([...SPECIAL, ...WORDS].map((word, id) => [word, id])),
    merges: [],
  },
} satisfies Json;

export const TOKENIZER_CONFIG = {
  bos_token: '<|end|>',
  eos_token: '<|end|>',
  unk_token: '<|unk|>',
  add_bos_token: false,
  chat_template: TEMPLATE,
} satisfies Json;

/** Names and shapes of the model's tensors. */
export function shapes(): [name: string, shape: number[]][] {
  const list: [string, number[]][] = [
    ['model.embed_tokens.weight', [VOCAB, HIDDEN]],
    ['model.norm.weight', [HIDDEN]],
    ['lm_head.weight', [VOCAB, HIDDEN]],
  ];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const at = `model.layers.${layer}`;
    list.push(
      [`${at}.input_layernorm.weight`, [HIDDEN]],
      [`${at}.post_attention_layernorm.weight`, [HIDDEN]],
      [`${at}.self_attn.q_norm.weight`, [8]],
      [`${at}.self_attn.k_norm.weight`, [8]],
      [`${at}.self_attn.q_proj.weight`, [16, HIDDEN]],
      [`${at}.self_attn.k_proj.weight`, [8, HIDDEN]],
      [`${at}.self_attn.v_proj.weight`, [8, HIDDEN]],
      [`${at}.self_attn.o_proj.weight`, [HIDDEN, 16]],
      [`${at}.mlp.gate.weight`, [EXPERTS, HIDDEN]],
    );
    for (let expert = 0; expert < EXPERTS; expert += 1) {
      const mlp = `${at}.mlp.experts.${expert}`;
      list.push(
        [`${mlp}.gate_proj.weight`, [WIDTH, HIDDEN]],
        [`${mlp}.up_proj.weight`, [WIDTH, HIDDEN]],
        [`${mlp}.down_proj.weight`, [HIDDEN, WIDTH]],
      );
    }
  }
  return list;
}

function tensor(name: string, shape: readonly number[], chooser: Chooser): TensorToWrite {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, () => (shape.length === 1 ? 1 : chooser.unit() - 0.5));
  return {
    name,
    dtype: 'F32',
    shape,
    async *pieces() {
      yield new Uint8Array(values.buffer);
    },
  };
}

async function bytesOf(tensors: readonly TensorToWrite[]): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

const SIDE_FILES: Files = {
  'config.json': JSON.stringify(CONFIG),
  'generation_config.json': JSON.stringify(GENERATION),
  'tokenizer.json': JSON.stringify(TOKENIZER),
  'tokenizer_config.json': JSON.stringify(TOKENIZER_CONFIG),
};

/** The model in one file. */
export async function wholeModel(): Promise<Files> {
  const chooser = new Chooser(1);
  const tensors = shapes().map(([name, shape]) => tensor(name, shape, chooser));
  return { ...SIDE_FILES, 'model.safetensors': await bytesOf(tensors) };
}

/** The same weights in two files and an index. */
export async function splitModel(): Promise<Files> {
  const chooser = new Chooser(1);
  const tensors = shapes().map(([name, shape]) => tensor(name, shape, chooser));
  const half = tensors.length >> 1;
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  const weightMap = Object.fromEntries(tensors.map(({ name }, index) => [name, names[index < half ? 0 : 1]]));
  return {
    ...SIDE_FILES,
    [names[0]]: await bytesOf(tensors.slice(0, half)),
    [names[1]]: await bytesOf(tensors.slice(half)),
    'model.safetensors.index.json': JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }),
  };
}

/** What `npx atomoe pack` makes of it. */
export async function packedModel(whole: Files): Promise<Files> {
  const scratch = await mkdtemp(join(tmpdir(), 'atomoe-fuzz-'));
  try {
    for (const [name, content] of Object.entries(whole)) await writeFile(join(scratch, name), content);
    const out = join(scratch, 'packed');
    const notes: string[] = [];
    const terminal = {
      write: () => {},
      note: (line: string) => void notes.push(line),
      status: () => {},
      aside: () => {},
      isMixed: false,
      signal: new AbortController().signal,
    };
    if ((await main(['pack', scratch, out], terminal)) !== 0) throw new Error(notes.join('; '));
    const names = await readdir(out);
    const contents = names.map(
      async (name) => [name, new Uint8Array(await readFile(join(out, name)))] as const,
    );
    return Object.fromEntries(await Promise.all(contents));
  } finally {
    await rm(scratch, { recursive: true });
  }
}
