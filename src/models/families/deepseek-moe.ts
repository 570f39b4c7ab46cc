import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
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

/** DeepSeekMoE: ordinary attention; dense layers, then experts beside shared ones, with a router by softmax (arXiv:2401.06066). */
export const deepseekMoe: ConfigFamily = {
  modelTypes: ['deepseek'],
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
