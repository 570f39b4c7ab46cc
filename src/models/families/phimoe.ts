import type { RopeScaling } from '../../kernels/attention/rope-angles.ts';
import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import type { LayerNormSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  type LinearRouter,
} from './common.ts';
import { mixtralMoe } from './mixtral-experts.ts';
import { agreed, type ScalingOfClass } from './rope.ts';
import { readWindows } from './windows.ts';

/** Phi-3.5-MoE: layer norms, biases everywhere, LongRoPE, and routing by SparseMixer (arXiv:2404.14219). */
export const phimoe: ConfigFamily = {
  modelTypes: ['phimoe'],
  parse: (config, file) => {
    const shell = readShell(config, file, { scalings: new Map([['longrope', longrope]]) });
    const windows = readWindows(config, shell.layerCount);
    const bias = config.boolean(['attention_bias'], false);
    const router = readRouter(config);
    const { experts } = readExpertCounts(config);
    const sizes = {
      experts,
      activation: readActivation(config),
      width: readWidth(config, 'intermediate_size'),
    };
    const hasHeadBias = config.boolean(['lm_head_bias'], false);
    const specs = layers(shell, (layer, prefix) => {
      const choices = { qkvBias: bias, outBias: bias, window: windows[layer] ?? 0 };
      return {
        sublayers: [
          { norm: layerNorm(`${prefix}input_layernorm`), block: attention(prefix, shell, choices) },
          {
            norm: layerNorm(`${prefix}post_attention_layernorm`),
            block: mixtralMoe(prefix, shell, sizes, router),
          },
        ],
      };
    });
    return {
      ...decoder('phimoe', config, shell, specs),
      norm: layerNorm(`${shell.base}norm`),
      ...(hasHeadBias ? { headBias: 'lm_head.bias' } : {}),
    };
  },
};

function layerNorm(module: string): LayerNormSpec {
  return { gain: `${module}.weight`, shift: `${module}.bias` };
}

/** The rule is defined for two experts per token; its threshold is twice the jitter of training. */
function readRouter(config: ConfigReader): (at: string) => LinearRouter {
  const { topK } = readExpertCounts(config);
  if (topK !== 2) config.unsupported(`num_experts_per_tok ${topK}`, 'num_experts_per_tok 2');
  const epsilon = 2 * config.number(['router_jitter_noise'], 0.01);
  return (at) => ({
    score: { kind: 'linear', weight: `${at}gate.weight` },
    select: { kind: 'topK', k: topK },
    weigh: { normalise: 'sparsemixer', epsilon },
  });
}

/** LongRoPE with an amplitude of its own for each of the two lengths. */
const longrope: ScalingOfClass = {
  keys: ['short_factor', 'long_factor', 'short_mscale', 'long_mscale'],
  read: readLongrope,
};

function readLongrope(section: ConfigReader, config: ConfigReader, pairs: number): RopeScaling {
  const key = 'original_max_position_embeddings';
  const divisors = (name: string): number[] => {
    const list = section.list(name) ?? [];
    const isWhole =
      list.length === pairs && list.every((each) => typeof each === 'number' && each >= LEAST_DIVISOR);
    if (isWhole) return list as number[];
    return section.unsupported(
      `${name} of ${list.length} numbers`,
      `${pairs} numbers of at least ${LEAST_DIVISOR}`,
    );
  };
  return {
    kind: 'factors',
    factors: divisors('short_factor'),
    amplitude: section.positive(['short_mscale']),
    beyond: {
      positions: agreed(config, key, [section, config]) ?? section.count([key]),
      factors: divisors('long_factor'),
      amplitude: section.positive(['long_mscale']),
    },
  };
}

/** Divisors are 1 or more in all published models; far smaller ones would leave no digit of the angles. */
const LEAST_DIVISOR = 0.01;
