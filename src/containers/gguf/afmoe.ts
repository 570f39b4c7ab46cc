/** The architecture of Trinity: llama.cpp's graph scales embeddings, and has full attention in every fourth layer. */
import type { Architecture, Architectures } from './architecture.ts';
import { deepseekExperts, deepseekModules } from './deepseek.ts';
import { SIGMOID } from './gating.ts';

const afmoe: Architecture = {
  modelType: 'afmoe',
  gating: SIGMOID,
  config: (keys) => {
    const { first_k_dense_replace, norm_topk_prob, ...experts } = deepseekExperts(keys);
    return {
      ...experts,
      num_dense_layers: first_k_dense_replace,
      route_norm: norm_topk_prob,
      sliding_window: keys.window,
      global_attn_every_n_layers: 4,
      mup_enabled: true,
    };
  },
  modules: {
    ...deepseekModules,
    attn_gate: 'self_attn.gate_proj',
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_mlp_layernorm',
    post_ffw_norm: 'post_mlp_layernorm',
    ffn_gate_inp: 'mlp.router.gate',
    'exp_probs_b.bias': 'mlp.expert_bias',
  },
};

export const ARCHITECTURES: Architectures = { afmoe };
