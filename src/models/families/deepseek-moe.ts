import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  softmaxRouter,
  type LinearRouter,
} from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { refuseWindow } from './windows.ts';

/** Not a class of transformers, but of the model's publisher. */
const DEEPSEEK_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 102_400,
  hidden_size: 2048,
  intermediate_size: 10_944,
  moe_intermediate_size: 1408,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  n_shared_experts: 2,
  n_routed_experts: 64,
  num_experts_per_tok: 6,
  moe_layer_freq: 1,
  first_k_dense_replace: 0,
  norm_topk_prob: true,
  max_position_embeddings: 4096,
};

/** DeepSeekMoE: ordinary attention; dense layers, then experts beside shared ones, with a router by softmax (arXiv:2401.06066). */
export const deepseekMoe: BuiltInFamily = {
  modelTypes: ['deepseek'],
  defaults: new Map([['deepseek', DEEPSEEK_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const frequency = config.count(['moe_layer_freq']);
    if (frequency !== 1) config.unsupported(`moe_layer_freq ${frequency}`, 'moe_layer_freq 1');
    const bias = config.boolean(['attention_bias']);
    const mlpOf = deepseekMlps(config, shell, readActivation(config), { routerOf: readRouter(config) });
    return decoder(
      'deepseek',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(prefix, attention(prefix, shell, { qkvBias: bias, outBias: bias }), mlpOf(layer, prefix)),
      ),
    );
  },
};

/** The weight of a single expert is never renormalised. */
function readRouter(config: ConfigReader): (at: string) => LinearRouter {
  const { topK } = readExpertCounts(config);
  const isRenormalised = config.boolean(['norm_topk_prob']) && topK > 1;
  return (at) => softmaxRouter(`${at}gate.weight`, topK, isRenormalised);
}
