import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
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

/** DeepSeek-V2: latent attention; a softmax router without renormalisation (arXiv:2405.04434). */
export const deepseekV2: ConfigFamily = {
  modelTypes: ['deepseek_v2'],
  parse: (config, file) => latentDecoder(config, file, 'pair', { routerOf: readSoftmaxRouter(config) }),
};

/** DeepSeek-V3 and Moonlight: latent attention; a router by sigmoid (arXiv:2412.19437). */
export const deepseekV3: ConfigFamily = {
  modelTypes: ['deepseek_v3'],
  parse: (config, file) => latentDecoder(config, file, readStyle(config)),
};

/** GLM-4.7-Flash: as DeepSeek-V3, with one dense layer unless the config says otherwise (transformers' Glm4MoeLite). */
export const glm4MoeLite: ConfigFamily = {
  modelTypes: ['glm4_moe_lite'],
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
