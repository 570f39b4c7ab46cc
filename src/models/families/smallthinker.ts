import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readShell,
  readWidth,
  separateExperts,
  type LinearRouter,
} from './common.ts';

const MOST_EXPERTS = 2 ** 16;

/**
 * SmallThinker: routers read the stream before the attention of their layer, experts are gated by ReLU; layers have a window, and no
 * positions, as two lists say (arXiv:2507.20984).
 */
export const smallThinker: ConfigFamily = {
  modelTypes: ['smallthinker'],
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseOtherForms(config, shell.layerCount);
    const rotated = readLayout(config, 'rope_layout', shell.layerCount, true);
    const slides = readLayout(config, 'sliding_window_layout', shell.layerCount, false);
    const window = slides.includes(true) ? config.count(['sliding_window_size', 'sliding_window']) : 0;
    const experts = config.count(['moe_num_primary_experts', 'num_experts'], undefined, MOST_EXPERTS);
    const k = config.count(
      ['moe_num_active_primary_experts', 'num_experts_per_tok'],
      undefined,
      MOST_EXPERTS,
    );
    const width = readWidth(config, 'moe_ffn_hidden_size', 'moe_intermediate_size');
    const isSoftmax = config.boolean(['moe_primary_router_apply_softmax'], false);
    return decoder(
      'smallthinker',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const at = `${prefix}block_sparse_moe.`;
        const matrices = separateExperts(
          { experts, width, hidden: shell.hidden },
          (matrix) => `${at}experts.{expert}.${matrix}.weight`,
        );
        return layerOf(
          prefix,
          attention(prefix, shell, {
            window: slides[layer] === true ? window : 0,
            isRotated: rotated[layer] === true,
          }),
          {
            kind: 'moe',
            experts,
            router: { ...router(`${at}primary_router.weight`, k, isSoftmax), input: 'layer' },
            expert: { kind: 'gated', width, activation: 'relu', ...matrices },
          },
        );
      }),
    );
  },
};

/** The k largest logits: their softmax, or their sigmoids over the sum of these. */
function router(weight: string, k: number, isSoftmax: boolean): LinearRouter {
  return {
    score: { kind: 'linear', weight },
    ...(isSoftmax ? {} : { transform: [{ kind: 'sigmoid' }] }),
    select: { kind: 'topK', k },
    weigh: { normalise: isSoftmax ? 'softmax' : 'sum' },
  };
}

/** A list of 0 and 1, one for each layer. */
function readLayout(config: ConfigReader, key: string, layerCount: number, usual: boolean): boolean[] {
  if (!config.has(key)) return Array.from({ length: layerCount }, () => usual);
  const list = config.integers([key]);
  if (list.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: `the length of ${key}`, value: list.length },
    );
  }
  const other = list.find((value) => value !== 0 && value !== 1);
  if (other !== undefined) config.unsupported(`${key} with ${other}`, '0 or 1 for each layer');
  return list.map((value) => value === 1);
}

/** Options of the class that no published model has. */
function refuseOtherForms(config: ConfigReader, layerCount: number): void {
  const plain = {
    use_qk_norm: false,
    moe_enable_early_router: true,
    moe_enable_secondary_experts: false,
  } as const;
  for (const [key, wanted] of Object.entries(plain)) {
    if (config.boolean([key], wanted) !== wanted) config.unsupported(`${key} ${!wanted}`, `${key} ${wanted}`);
  }
  const shared = config.integers(['moe_shared_primary_experts'])[0] ?? 0;
  if (shared !== 0) config.unsupported(`moe_shared_primary_experts ${shared}`, 'none');
  if (readLayout(config, 'moe_layer_layout', layerCount, true).includes(false)) {
    config.unsupported('moe_layer_layout with 0', 'experts in every layer');
  }
}
