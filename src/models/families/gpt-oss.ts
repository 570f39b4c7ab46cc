import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import type { FileTensors } from '../file-tensors.ts';
import type { GatedExpertSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  type ExpertSizes,
} from './common.ts';
import { readWindows } from './windows.ts';

const GPT_OSS_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  rms_norm_eps: 1e-5,
  rope_theta: 150_000,
  attention_bias: true,
  num_hidden_layers: 36,
  num_local_experts: 128,
  vocab_size: 201_088,
  hidden_size: 2880,
  intermediate_size: 2880,
  head_dim: 64,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  sliding_window: 128,
  max_position_embeddings: 131_072,
  num_experts_per_tok: 4,
};

/**
 * gpt-oss: attention sinks, windows in every second layer, biases everywhere, and experts by clamped SwiGLU
 * (arXiv:2508.10925).
 */
export const gptOss: BuiltInFamily = {
  modelTypes: ['gpt_oss'],
  defaults: new Map([['gpt_oss', GPT_OSS_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { fallback: YARN });
    refuseOtherGlu(config);
    const windows = readWindows(config, shell.layerCount, {
      isOn: !config.isNull('sliding_window'),
      slides: (layer) => layer % 2 === 0,
      followsTypes: true,
    });
    const bias = config.boolean(['attention_bias']);
    const { experts, topK } = readExpertCounts(config);
    const sizes = { experts, width: readWidth(config, 'intermediate_size'), hidden: shell.hidden };
    return decoder(
      'gpt_oss',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const at = `${prefix}mlp.`;
        const choices = { qkvBias: bias, outBias: bias, sinks: true, window: windows[layer] ?? 0 };
        return layerOf(prefix, attention(prefix, shell, choices), {
          kind: 'moe',
          experts,
          router: {
            score: { kind: 'linear', weight: `${at}router.weight`, bias: `${at}router.bias` },
            select: { kind: 'topK', k: topK },
            weigh: { normalise: 'softmax' },
          },
          expert: clampedExperts(`${at}experts.`, sizes, file),
        });
      }),
    );
  },
};

/** The scaling of the class where a config has none. */
const YARN = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
};

/** The class has constants: SwiGLU with limit 7, whatever the activation is called. */
function refuseOtherGlu(config: ConfigReader): void {
  config.choice(['hidden_act'], ['silu', 'swish']);
  const limit = config.number(['swiglu_limit'], 7);
  if (limit !== 7) config.unsupported(`swiglu_limit ${limit}`, 'swiglu_limit 7');
}

/**
 * Experts stored as [inputs, outputs], where columns of gate and up alternate; of quantised files one by one as [outputs, inputs].
 * Biases of gate and up alternate in safetensors.
 */
function clampedExperts(at: string, sizes: ExpertSizes, file: FileTensors | undefined): GatedExpertSpec {
  const { experts, width, hidden } = sizes;
  const common = { kind: 'gated', width, activation: 'clamped-swiglu' } as const;
  const bias = (name: string, cols: number) => ({ tensor: `${at}${name}_proj_bias`, shape: [experts, cols] });
  const gate = { start: 0, step: 2 };
  const up = { start: 1, step: 2 };
  const both = bias('gate_up', 2 * width);
  const isApart = file?.has(`${at}gate_proj_bias`) ?? false;
  const biases = {
    ...(isApart
      ? { gate: bias('gate', width), up: bias('up', width) }
      : { gate: { ...both, columns: gate }, up: { ...both, columns: up } }),
    down: bias('down', hidden),
  };
  if (file?.has(`${at}0.gate_proj.weight`)) {
    const single = (matrix: string) => `${at}{expert}.${matrix}_proj.weight`;
    return { ...common, ...separateExperts(sizes, single), biases };
  }
  const across = { tensor: `${at}gate_up_proj`, shape: [experts, hidden, 2 * width], transposed: true };
  return {
    ...common,
    gate: { ...across, columns: gate },
    up: { ...across, columns: up },
    down: { tensor: `${at}down_proj`, shape: [experts, width, hidden], transposed: true },
    biases,
  };
}
