/** The architectures of GGUF files: the config of each as Hugging Face writes it, and the names of its tensors. */
import type { JsonObject } from '../../io/json-file.ts';
import type { Architecture, Architectures } from './architecture.ts';
import { scalingOf, type GgufKeys } from './keys.ts';

/** The names of a layer's modules in most architectures. */
export const MODULES: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
  ffn_gate_inp: 'mlp.gate',
  ffn_gate_exps: 'mlp.experts.{expert}.gate_proj',
  ffn_up_exps: 'mlp.experts.{expert}.up_proj',
  ffn_down_exps: 'mlp.experts.{expert}.down_proj',
  ffn_gate_shexp: 'mlp.shared_expert.gate_proj',
  ffn_up_shexp: 'mlp.shared_expert.up_proj',
  ffn_down_shexp: 'mlp.shared_expert.down_proj',
  ffn_gate_inp_shexp: 'mlp.shared_expert_gate',
};

const afmoe = () => import('./afmoe.ts');
const bailing = () => import('./bailing.ts');
const deepseek = () => import('./deepseek.ts');
const gemma = () => import('./gemma.ts');
const granite = () => import('./granite.ts');
const mellum = () => import('./mellum.ts');
const nemotron = () => import('./nemotron.ts');
const qwenNext = () => import('./qwen-next.ts');
const usual = () => import('./usual.ts');

/** What is loaded for each `general.architecture`: a new one is a row here, and one of the table in its file. */
const FILES: Readonly<Record<string, () => Promise<{ readonly ARCHITECTURES: Architectures }>>> = {
  llama: usual,
  qwen2: usual,
  qwen3: usual,
  olmoe: usual,
  qwen2moe: usual,
  qwen3moe: usual,
  qwen3next: qwenNext,
  qwen35moe: qwenNext,
  nemotron_h_moe: nemotron,
  granitemoe: granite,
  granitehybrid: granite,
  dots1: usual,
  glm4moe: usual,
  deepseek: deepseek,
  deepseek2: deepseek,
  afmoe: afmoe,
  mellum: mellum,
  bailingmoe: bailing,
  bailingmoe2: bailing,
  'exaone-moe': usual,
  'ernie4_5-moe': usual,
  'hunyuan-moe': usual,
  gemma4: gemma,
  'gpt-oss': usual,
  lfm2moe: usual,
  llama4: usual,
  phimoe: usual,
  smallthinker: usual,
  'minimax-m2': usual,
};

/** Names of the architectures that can be read. */
export const ARCHITECTURE_NAMES: readonly string[] = Object.keys(FILES);

/** The architecture of a file; undefined where there is none of this name. */
export async function loadArchitecture(name: string, keys: GgufKeys): Promise<Architecture | undefined> {
  const load = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
  const found = (await load?.())?.ARCHITECTURES[name];
  return typeof found === 'function' ? found(keys) : found;
}

/** The config of a file as Hugging Face's `config.json` has it. */
export function configOf({ modelType, config, readsRopeTensors }: Architecture, keys: GgufKeys): JsonObject {
  const bos = keys.token('bos_token_id');
  const eos = keys.token('eos_token_id');
  const headDim = keys.optionalCount('attention.key_length');
  const heads = keys.count('attention.head_count');
  return {
    model_type: modelType,
    hidden_size: keys.count('embedding_length'),
    num_hidden_layers: keys.layers,
    num_attention_heads: heads,
    num_key_value_heads: keys.counts('attention.head_count_kv').reduce((a, b) => Math.max(a, b), 0) || heads,
    ...(headDim === undefined ? {} : { head_dim: headDim }),
    rms_norm_eps:
      keys.optionalNumber('attention.layer_norm_epsilon') ?? keys.number('attention.layer_norm_rms_epsilon'),
    rope_theta: keys.optionalNumber('rope.freq_base') ?? 10_000,
    max_position_embeddings: keys.count('context_length'),
    vocab_size: keys.vocab,
    hidden_act: 'silu',
    tie_word_embeddings: keys.isTied,
    ...(readsRopeTensors ? {} : scalingOf(keys)),
    ...(bos === undefined ? {} : { bos_token_id: bos }),
    ...(eos === undefined ? {} : { eos_token_id: eos }),
    ...config(keys),
  };
}
