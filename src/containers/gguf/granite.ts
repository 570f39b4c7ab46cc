/** Granite's architectures: multipliers everywhere; experts with or without a shared one; state spaces in version 4. */
import type { Architecture, Architectures } from './architecture.ts';
import { SOFTMAX } from './gating.ts';
import { flat, logarithms, taps } from './recurrent.ts';

/** Granite 3 without a shared expert. */
const graniteMoe: Architecture = {
  modelType: 'granitemoe',
  config: (keys) => ({
    num_local_experts: keys.count('expert_count'),
    num_experts_per_tok: keys.count('expert_used_count'),
    intermediate_size: keys.optionalCount('expert_feed_forward_length') ?? keys.count('feed_forward_length'),
    attention_multiplier: keys.number('attention.scale'),
    embedding_multiplier: keys.number('embedding_scale'),
    residual_multiplier: keys.number('residual_scale'),
    logits_scaling: keys.number('logit_scale'),
  }),
  gating: SOFTMAX, // of all experts and renormalised: the same as of the chosen
  hasPairedRows: true,
  modules: {
    ffn_gate_inp: 'block_sparse_moe.router.layer',
    ffn_gate_exps: 'block_sparse_moe.experts.{expert}.gate_proj',
    ffn_up_exps: 'block_sparse_moe.experts.{expert}.up_proj',
    ffn_down_exps: 'block_sparse_moe.experts.{expert}.down_proj',
  },
};

/** Granite 3 with a shared expert. */
const graniteMoeShared: Architecture = {
  ...graniteMoe,
  modelType: 'granitemoeshared',
  config: (keys) => ({
    ...graniteMoe.config(keys),
    shared_intermediate_size: keys.count('expert_shared_feed_forward_length'),
  }),
  modules: {
    ...graniteMoe.modules,
    ffn_gate_shexp: 'shared_mlp.gate_proj',
    ffn_up_shexp: 'shared_mlp.up_proj',
    ffn_down_shexp: 'shared_mlp.down_proj',
  },
};

/** Granite 4: attention in few layers, without positions unless the file says so. */
const graniteHybrid: Architecture = {
  ...graniteMoeShared,
  modelType: 'granitemoehybrid',
  config: (keys) => {
    const inner = keys.count('ssm.inner_size');
    const heads = keys.count('ssm.time_step_rank');
    return {
      ...graniteMoeShared.config(keys),
      position_embedding_type: (keys.flag('rope.scaling.finetuned') ?? false) ? 'rope' : 'nope',
      layer_types: keys
        .counts('attention.head_count_kv')
        .map((kvHeads) => (kvHeads > 0 ? 'attention' : 'mamba')),
      attention_bias: keys.hasTensor('blk.0.attn_q.bias'),
      mamba_n_heads: heads,
      mamba_d_head: inner / heads,
      mamba_d_state: keys.count('ssm.state_size'),
      mamba_d_conv: keys.count('ssm.conv_kernel'),
      mamba_n_groups: keys.count('ssm.group_count'),
      mamba_expand: inner / keys.count('embedding_length'),
      mamba_conv_bias: keys.hasTensor('blk.0.ssm_conv1d.bias'),
      mamba_proj_bias: keys.hasTensor('blk.0.ssm_in.bias'),
    };
  },
  modules: {
    ...graniteMoeShared.modules,
    ssm_in: 'mamba.in_proj',
    ssm_conv1d: 'mamba.conv1d',
    'ssm_dt.bias': 'mamba.dt_bias',
    ssm_d: 'mamba.D',
    ssm_norm: 'mamba.norm',
    ssm_out: 'mamba.out_proj',
  },
  shapes: {
    'ssm_conv1d.weight': taps,
    ssm_d: flat,
    'ssm_norm.weight': flat,
  },
  derived: logarithms('mamba.A_log'),
};

export const ARCHITECTURES: Architectures = {
  granitemoe: (keys) =>
    keys.optionalCount('expert_shared_feed_forward_length') === undefined ? graniteMoe : graniteMoeShared,
  granitehybrid: graniteHybrid,
};
