import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import { spelling } from '../file-tensors.ts';
import type { DenseSpec, SharedSpec } from '../spec.ts';
import {
  attention,
  decoder,
  fusedExperts,
  gatedMlp,
  layerOf,
  layers,
  linear,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  type DecoderChoices,
  type GatedMoeSpec,
  type Shell,
} from './common.ts';
import { refuseWindow } from './windows.ts';

/** Sizes of the experts of a layer. */
export interface GraniteSizes {
  readonly experts: number; // 0: only the shared expert
  readonly topK: number;
  readonly width: number;
  readonly sharedWidth: number; // 0: no shared expert
  readonly activation: Activation;
}

export const GRANITE_MOE_DEFAULTS: ConfigValues = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: false,
  rope_theta: 10_000,
  attention_bias: false,
  embedding_multiplier: 1,
  logits_scaling: 1,
  residual_multiplier: 1,
  attention_multiplier: 1,
  num_local_experts: 8,
  num_experts_per_tok: 2,
};

export const GRANITEMOESHARED_DEFAULTS: ConfigValues = {
  ...GRANITE_MOE_DEFAULTS,
  shared_intermediate_size: 0,
};

/**
 * Granite MoE, with or without a shared expert: multipliers on embedding, attention, residual and logits; experts fused as [experts, 2 * width, hidden],
 * gate rows first; softmax over the selected logits (transformers' GraniteMoe).
 */
export const graniteMoe: BuiltInFamily = {
  modelTypes: ['granitemoe', 'granitemoeshared'],
  defaults: new Map([
    ['granitemoe', GRANITE_MOE_DEFAULTS],
    ['granitemoeshared', GRANITEMOESHARED_DEFAULTS],
  ]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    refuseWindow(config, shell.layerCount);
    const bias = config.boolean(['attention_bias']);
    const scale = config.positive(['attention_multiplier']);
    const sizes = readGraniteSizes(config);
    if (sizes.experts === 0) config.unsupported('num_local_experts 0', 'experts');
    return decoder(
      config.text(['model_type']),
      config,
      shell,
      layers(shell, (_, prefix) => {
        const mixer = attention(prefix, shell, { scale, qkvBias: bias, outBias: bias });
        return layerOf(prefix, mixer, graniteExperts(prefix, shell, sizes));
      }),
      readMultipliers(config),
    );
  },
};

/** Reads the multipliers of the embedding, of what is added to the stream, and of the logits. */
export function readMultipliers(config: ConfigReader): DecoderChoices {
  return {
    embeddingMultiplier: config.number(['embedding_multiplier']),
    residualMultiplier: config.number(['residual_multiplier']),
    logitsMultiplier: 1 / config.positive(['logits_scaling']),
  };
}

/** Reads the sizes of experts and of the shared expert. */
export function readGraniteSizes(config: ConfigReader): GraniteSizes {
  const isDense = config.integers(['num_local_experts'])[0] === 0; // as in the smaller models of Granite 4
  return {
    ...(isDense ? { experts: 0, topK: 0 } : readExpertCounts(config)),
    width: readWidth(config, 'intermediate_size'),
    sharedWidth: config.integers(['shared_intermediate_size'])[0] ?? 0,
    activation: readActivation(config),
  };
}

/** Experts and a shared expert, or the latter alone. */
export function graniteMlp(prefix: string, shell: Shell, sizes: GraniteSizes): GatedMoeSpec | DenseSpec {
  if (sizes.experts > 0) return graniteExperts(prefix, shell, sizes);
  return { kind: 'dense', ...sharedMlp(`${prefix}shared_mlp.`, shell.hidden, sizes) };
}

function graniteExperts(prefix: string, { file, hidden }: Shell, sizes: GraniteSizes): GatedMoeSpec {
  const { experts, topK, width, sharedWidth, activation } = sizes;
  const block = `${prefix}block_sparse_moe.`;
  const weight = spelling(file, [`${block}router.layer.weight`, `${block}router.weight`]);
  const names = {
    gateUp: spelling(file, [`${block}input_linear.weight`, `${block}experts.gate_up_proj`]),
    down: spelling(file, [`${block}output_linear.weight`, `${block}experts.down_proj`]),
  };
  // GGUF files have the experts one by one, and gates and ups apart.
  const single = (matrix: string) => `${block}experts.{expert}.${matrix}_proj.weight`;
  const isSingle = file?.has(single('gate').replace('{expert}', '0')) ?? false;
  const counts = { experts, width, hidden };
  const matrices = isSingle ? separateExperts(counts, single) : fusedExperts(counts, names);
  const shared = `${prefix}shared_mlp.`;
  return {
    kind: 'moe',
    experts,
    router: {
      score: { kind: 'linear', weight },
      select: { kind: 'topK', k: topK },
      weigh: { normalise: 'softmax' },
    },
    expert: { kind: 'gated', width, activation, ...matrices },
    ...(sharedWidth === 0
      ? {}
      : {
          shared: isSingle
            ? gatedMlp(shared, hidden, sharedWidth, activation)
            : sharedMlp(shared, hidden, sizes),
        }),
  };
}

/** Gate rows first, as in the experts. */
function sharedMlp(at: string, hidden: number, { sharedWidth, activation }: GraniteSizes): SharedSpec {
  return {
    width: sharedWidth,
    activation,
    gateUp: linear(hidden, [`${at}input_linear.weight`, 2 * sharedWidth]),
    down: linear(sharedWidth, [`${at}output_linear.weight`, hidden]),
  };
}
