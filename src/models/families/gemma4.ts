import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import type { AttentionSpec, LayerSpec } from '../spec.ts';
import {
  attention,
  decoder,
  denseMlp,
  fusedExperts,
  gatedMlp,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  type ExpertSizes,
  type GatedMoeSpec,
  type Shell,
} from './common.ts';
import { readRope, type ScalingOfClass } from './rope.ts';
import { readWindows } from './windows.ts';

/**
 * Gemma 4: windows in most layers, larger heads in the others, norms before and behind blocks, and a dense MLP beside the
 * experts, whose router has a norm of its own (Google DeepMind 2026).
 */
export const gemma4: ConfigFamily = {
  modelTypes: ['gemma4_text'],
  parse: (config, file) => {
    const shell = readShell(config, file, { layerType: SLIDING });
    refuseOthers(config);
    const windows = readWindows(config, shell.layerCount, { followsTypes: true });
    const mixer = readAttention(config, shell, windows);
    const mlp = readMlp(config, shell);
    const cap = config.has(CAP) ? config.positive([CAP]) : undefined;
    const specs = layers(shell, (layer, prefix): LayerSpec => {
      return {
        sublayers: [
          {
            norm: `${prefix}input_layernorm.weight`,
            block: mixer(layer, prefix),
            post: { gain: `${prefix}post_attention_layernorm.weight` },
          },
          {
            ...mlp(prefix),
            post: { gain: `${prefix}post_feedforward_layernorm.weight`, factor: `${prefix}layer_scalar` },
          },
        ],
      };
    });
    const spec = decoder('gemma4_text', config, shell, specs, {
      embeddingMultiplier: Math.sqrt(shell.hidden),
    });
    return cap === undefined ? spec : { ...spec, logitsCap: cap };
  },
};

const SLIDING = 'sliding_attention';
const CAP = 'final_logit_softcapping';

/** Parts of smaller and multimodal models of the class. */
function refuseOthers(config: ConfigReader): void {
  for (const key of ['hidden_size_per_layer_input', 'num_kv_shared_layers']) {
    const [count = 0] = config.integers([key]);
    if (count !== 0) config.unsupported(`${key} ${count}`, `${key} 0`);
  }
  if (config.boolean(['use_double_wide_mlp'], false))
    config.unsupported('use_double_wide_mlp', 'one width of MLPs');
  // 'vision': between the tokens of an image only.
  config.choice(['use_bidirectional_attention'], ['none', 'vision'], 'none');
}

/** Attention of each layer: those without a window may have other heads, and values that are the keys before their norm. */
function readAttention(
  config: ConfigReader,
  shell: Shell,
  windows: readonly number[],
): (layer: number, prefix: string) => AttentionSpec {
  const bias = config.boolean(['attention_bias'], false);
  const valuesAreKeys = config.boolean(['attention_k_eq_v'], false);
  const byLayer = config.section('per_layer_config');
  const dims = config.has('global_head_dim')
    ? config.count(['global_head_dim'], undefined, 4096)
    : shell.headDim;
  const kvHeads = config.has('num_global_key_value_heads')
    ? config.count(['num_global_key_value_heads'], undefined, 4096)
    : shell.kvHeads;
  return (layer, prefix) => {
    const window = windows[layer] ?? 0;
    const isFull = window === 0;
    const own = byLayer.section(String(layer));
    const headDim = own.count(['head_dim'], isFull ? dims : shell.headDim, 4096);
    const sizes = {
      headDim,
      kvHeads: own.count(['num_key_value_heads'], isFull ? kvHeads : shell.kvHeads, 4096),
      rope: isFull
        ? readRope(config, headDim, {
            layerType: 'full_attention',
            scalings: new Map([['proportional', proportional]]),
          })
        : shell.rope,
    };
    const choices = { norm: 'headAndValue', scale: 1, window, qkvBias: bias, outBias: bias } as const;
    const valueName = isFull && valuesAreKeys ? 'k_proj' : 'v_proj';
    return attention(prefix, { ...shell, ...sizes }, { ...choices, valueName });
  };
}

/** The MLP of each layer, and the norm before it: that of the routed experts, where there are any. */
function readMlp(
  config: ConfigReader,
  shell: Shell,
): (prefix: string) => Pick<LayerSpec['sublayers'][number], 'norm' | 'block'> {
  const activation = readActivation(config);
  const { hidden } = shell;
  const width = readWidth(config, 'intermediate_size');
  const before = (prefix: string) => `${prefix}pre_feedforward_layernorm.weight`;
  if (!config.boolean(['enable_moe_block'], false)) {
    return (prefix) => ({
      norm: before(prefix),
      block: denseMlp(`${prefix}mlp.`, hidden, width, activation),
    });
  }
  const { experts, topK } = readExpertCounts(config);
  const sizes = { experts, hidden, width: readWidth(config, 'moe_intermediate_size') };
  return (prefix) => ({
    norm: `${prefix}pre_feedforward_layernorm_2.weight`,
    block: {
      ...routedExperts(prefix, shell, { ...sizes, topK, activation }),
      shared: {
        ...gatedMlp(`${prefix}mlp.`, hidden, width, activation),
        norm: before(prefix),
        post: `${prefix}post_feedforward_layernorm_1.weight`,
      },
    },
  });
}

function routedExperts(
  prefix: string,
  { file, hidden }: Shell,
  sizes: ExpertSizes & { readonly topK: number; readonly activation: Activation },
): GatedMoeSpec {
  const { experts, topK, width, activation } = sizes;
  const at = `${prefix}experts.`;
  const single = `${at}{expert}.gate_up_proj.weight`; // GGUF files have the experts one by one
  const both = { tensor: single, shape: [2 * width, hidden] };
  const matrices = file?.has(single.replace('{expert}', '0'))
    ? {
        gate: { ...both, start: 0, count: width },
        up: { ...both, start: width, count: width },
        down: { tensor: `${at}{expert}.down_proj.weight`, shape: [hidden, width] },
      }
    : fusedExperts(sizes, { gateUp: `${at}gate_up_proj`, down: `${at}down_proj` });
  return {
    kind: 'moe',
    experts,
    router: {
      norm: `${prefix}router.scale`,
      score: { kind: 'linear', weight: `${prefix}router.proj.weight`, multiplier: 1 / Math.sqrt(hidden) },
      transform: [{ kind: 'softmax' }],
      select: { kind: 'topK', k: topK },
      weigh: { normalise: 'sum', factors: `${prefix}router.per_expert_scale` },
    },
    expert: { kind: 'gated', width, activation, ...matrices },
    post: `${prefix}post_feedforward_layernorm_2.weight`,
  };
}

/** `partial_rotary_factor` is the share of pairs that turn. */
const proportional: ScalingOfClass = {
  keys: [],
  readsFactor: true,
  read(section, _, pairs) {
    const share = section.number(['partial_rotary_factor'], 1);
    if (share < 0 || share > 1) section.unsupported(`partial_rotary_factor ${share}`, 'a share of 0 to 1');
    const turning = Math.floor(share * pairs);
    return {
      kind: 'factors',
      factors: Array.from({ length: pairs }, (_pair, index) => (index < turning ? 1 : Infinity)),
    };
  },
};
