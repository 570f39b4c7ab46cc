import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import type { FileTensors } from '../file-tensors.ts';
import type { ModelSpec, SelectSpec } from '../spec.ts';
import {
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  type LinearRouter,
} from './common.ts';
import { deepseekMlps, readGroups, type MlpChoices } from './deepseek-mlp.ts';
import { readLatentAttention } from './latent-attention.ts';
import { refuseWindow } from './windows.ts';

const DEEPSEEK_V2_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 102_400,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  mlp_bias: false,
  first_k_dense_replace: 0,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  n_routed_experts: 64,
  n_shared_experts: 2,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  routed_scaling_factor: 1,
  topk_method: 'greedy',
  norm_topk_prob: false,
  v_head_dim: 128,
  moe_intermediate_size: 1407,
};

/** DeepSeek-V2: latent attention; a softmax router without renormalisation (arXiv:2405.04434). */
export const deepseekV2: BuiltInFamily = {
  modelTypes: ['deepseek_v2'],
  defaults: new Map([['deepseek_v2', DEEPSEEK_V2_DEFAULTS]]),
  parse: (config, file) => latentDecoder(config, file, 'pair', { routerOf: readSoftmaxRouter(config) }),
};

const DEEPSEEK_V3_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 129_280,
  hidden_size: 7168,
  intermediate_size: 18_432,
  moe_intermediate_size: 2048,
  num_hidden_layers: 61,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  n_shared_experts: 1,
  n_routed_experts: 256,
  routed_scaling_factor: 2.5,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  qk_nope_head_dim: 128,
  n_group: 8,
  topk_group: 4,
  num_experts_per_tok: 8,
  first_k_dense_replace: 3,
  norm_topk_prob: true,
  max_position_embeddings: 4096,
  rope_interleave: true,
};

/** DeepSeek-V3 and Moonlight: latent attention; a router by sigmoid (arXiv:2412.19437). */
export const deepseekV3: BuiltInFamily = {
  modelTypes: ['deepseek_v3'],
  defaults: new Map([['deepseek_v3', DEEPSEEK_V3_DEFAULTS]]),
  parse: (config, file) => latentDecoder(config, file, readStyle(config)),
};

const GLM4_MOE_LITE_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 154_880,
  hidden_size: 2048,
  intermediate_size: 10_240,
  moe_intermediate_size: 1536,
  num_hidden_layers: 47,
  num_attention_heads: 20,
  num_key_value_heads: 20,
  n_shared_experts: 1,
  n_routed_experts: 64,
  routed_scaling_factor: 1.8,
  kv_lora_rank: 512,
  q_lora_rank: 768,
  qk_rope_head_dim: 64,
  v_head_dim: 256,
  qk_nope_head_dim: 192,
  n_group: 1,
  topk_group: 1,
  num_experts_per_tok: 4,
  norm_topk_prob: true,
  max_position_embeddings: 202_752,
  rms_norm_eps: 1e-5,
  rope_interleave: true,
};

/** GLM-4.7-Flash: as DeepSeek-V3, with one dense layer unless the config says otherwise (transformers' Glm4MoeLite). */
export const glm4MoeLite: BuiltInFamily = {
  modelTypes: ['glm4_moe_lite'],
  defaults: new Map([['glm4_moe_lite', GLM4_MOE_LITE_DEFAULTS]]),
  parse: (config, file) => latentDecoder(config, file, readStyle(config), { denseLayers: 1 }),
};

function readStyle(config: ConfigReader): 'pair' | 'half' {
  return config.boolean(['rope_interleave']) ? 'pair' : 'half';
}

function latentDecoder(
  config: ConfigReader,
  file: FileTensors | undefined,
  style: 'pair' | 'half',
  choices: MlpChoices = {},
): ModelSpec {
  const shell = readShell(config, file, { style, headDimKey: 'qk_rope_head_dim' });
  refuseWindow(config, shell.layerCount);
  const mixerOf = readLatentAttention(config, shell);
  const mlpOf = deepseekMlps(config, shell, readActivation(config), choices);
  return decoder(
    config.text(['model_type']),
    config,
    shell,
    layers(shell, (layer, prefix) => layerOf(prefix, mixerOf(prefix), mlpOf(layer, prefix))),
  );
}

/** The router of DeepSeek-V2; with groups, the best expert of each is its worth. */
function readSoftmaxRouter(config: ConfigReader): (at: string) => LinearRouter {
  config.choice(['scoring_func'], ['softmax'], 'softmax');
  if (config.boolean(['norm_topk_prob'])) config.unsupported('norm_topk_prob', 'weights as they are');
  const { experts, topK: k } = readExpertCounts(config);
  const isLimited = config.choice(['topk_method'], ['greedy', 'group_limited_greedy']) !== 'greedy';
  const groups = readGroups(config, experts, k);
  const select: SelectSpec = {
    kind: 'topK',
    k,
    ...(isLimited && groups.keep < groups.count ? { groups: { ...groups, by: 'max' } } : {}),
  };
  const scale = config.positive(['routed_scaling_factor']);
  return (at) => ({
    score: { kind: 'linear', weight: `${at}gate.weight` },
    transform: [{ kind: 'softmax' }],
    select,
    weigh: { normalise: 'none', scale },
  });
}
