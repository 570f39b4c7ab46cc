import type { ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { sigmoidRouter, type SigmoidRule } from './deepseek-mlp.ts';
import { mixtralMoe } from './mixtral-experts.ts';
import { refuseWindow } from './windows.ts';

const MINIMAX_M2_DEFAULTS: ConfigValues = {
  rope_theta: 5_000_000,
  vocab_size: 200_064,
  hidden_size: 3072,
  intermediate_size: 1536,
  num_hidden_layers: 62,
  num_attention_heads: 48,
  num_key_value_heads: 8,
  head_dim: 128,
  hidden_act: 'silu',
  max_position_embeddings: 196_608,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  num_experts_per_tok: 8,
  num_local_experts: 256,
};

/** MiniMax-M2: norm over the whole q and k vectors, a part of each head rotated; a router by sigmoid, without groups. */
export const minimaxM2: BuiltInFamily = {
  modelTypes: ['minimax_m2'],
  defaults: new Map([['minimax_m2', MINIMAX_M2_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const { experts, topK } = readExpertCounts(config);
    const sizes = { experts, activation, width: readWidth(config, 'intermediate_size') };
    config.choice(['scoring_func'], ['sigmoid'], 'sigmoid');
    const rule: SigmoidRule = {
      topK,
      groups: { count: 1, keep: 1 },
      renormalise: true,
      epsilon: 0,
      scale: 1,
    };
    return decoder(
      'minimax_m2',
      config,
      shell,
      layers(shell, (_, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { norm: 'vector' }),
          mixtralMoe(prefix, shell, sizes, (at) =>
            sigmoidRouter(`${at}gate.weight`, `${at}e_score_correction_bias`, rule),
          ),
        ),
      ),
    );
  },
};
