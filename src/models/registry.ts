import { AtomoeError } from '../errors.ts';
import { ConfigReader, type ConfigValues } from './config.ts';
import { textConfig } from './text-config.ts';
import type { BuiltInFamily, ConfigFamily } from './family.ts';
import type { FileTensors } from './file-tensors.ts';
import type { ModelSpec } from './spec.ts';

/** A family whose code is loaded when one of its models is opened. */
export interface ListedFamily {
  readonly modelTypes: readonly string[];
  /** Kinds of the routers, experts and mixers in its specs, which can be loaded concurrently; not `dense`, which is there. */
  readonly blocks: readonly string[];
  readonly load: () => Promise<BuiltInFamily>;
}

const GATED = ['linear', 'gated', 'attention'] as const;
const LATENT = ['linear', 'gated', 'latentAttention'] as const;

/** The built-in families. A new one is a row here; the caller can supply others. */
export const FAMILIES: readonly ListedFamily[] = [
  {
    modelTypes: ['omnimoe'],
    blocks: ['product', 'neuron', 'attention'],
    load: async () => (await import('./families/omnimoe.ts')).omnimoe,
  },
  {
    modelTypes: ['qwen3_moe'],
    blocks: GATED,
    load: async () => (await import('./families/qwen3-moe.ts')).qwen3Moe,
  },
  {
    modelTypes: ['qwen3_next'],
    blocks: [...GATED, 'deltaNet'],
    load: async () => (await import('./families/qwen3-next.ts')).qwen3Next,
  },
  {
    modelTypes: ['qwen3_5_moe_text'],
    blocks: [...GATED, 'deltaNet'],
    load: async () => (await import('./families/qwen3-next.ts')).qwen35Moe,
  },
  { modelTypes: ['olmoe'], blocks: GATED, load: async () => (await import('./families/olmoe.ts')).olmoe },
  {
    modelTypes: ['mixtral'],
    blocks: GATED,
    load: async () => (await import('./families/mixtral.ts')).mixtral,
  },
  {
    modelTypes: ['qwen2_moe'],
    blocks: GATED,
    load: async () => (await import('./families/qwen2-moe.ts')).qwen2Moe,
  },
  {
    modelTypes: ['granitemoe', 'granitemoeshared'],
    blocks: GATED,
    load: async () => (await import('./families/granite-moe.ts')).graniteMoe,
  },
  {
    modelTypes: ['granitemoe_swa'],
    blocks: GATED,
    load: async () => (await import('./families/granite-moe-swa.ts')).graniteMoeSwa,
  },
  {
    modelTypes: ['granitemoehybrid'],
    blocks: [...GATED, 'stateSpace'],
    load: async () => (await import('./families/granite-moe-hybrid.ts')).graniteMoeHybrid,
  },
  {
    modelTypes: ['nemotron_h'],
    blocks: ['linear', 'reluSquared', 'stateSpace', 'attention'],
    load: async () => (await import('./families/nemotron-h.ts')).nemotronH,
  },
  {
    modelTypes: ['llama'],
    blocks: ['attention'],
    load: async () => (await import('./families/dense.ts')).llama,
  },
  {
    modelTypes: ['mistral'],
    blocks: ['attention'],
    load: async () => (await import('./families/dense.ts')).mistral,
  },
  {
    modelTypes: ['qwen2'],
    blocks: ['attention'],
    load: async () => (await import('./families/dense.ts')).qwen2,
  },
  {
    modelTypes: ['qwen3'],
    blocks: ['attention'],
    load: async () => (await import('./families/dense.ts')).qwen3,
  },
  { modelTypes: ['dots1'], blocks: GATED, load: async () => (await import('./families/dots1.ts')).dots1 },
  {
    modelTypes: ['glm4_moe'],
    blocks: GATED,
    load: async () => (await import('./families/glm4-moe.ts')).glm4Moe,
  },
  {
    modelTypes: ['ernie4_5_moe'],
    blocks: GATED,
    load: async () => (await import('./families/ernie45-moe.ts')).ernie45Moe,
  },
  {
    modelTypes: ['minimax_m2'],
    blocks: GATED,
    load: async () => (await import('./families/minimax-m2.ts')).minimaxM2,
  },
  {
    modelTypes: ['hunyuan_v1_moe'],
    blocks: GATED,
    load: async () => (await import('./families/hunyuan-v1-moe.ts')).hunyuanV1Moe,
  },
  {
    modelTypes: ['deepseek'],
    blocks: GATED,
    load: async () => (await import('./families/deepseek-moe.ts')).deepseekMoe,
  },
  {
    modelTypes: ['deepseek_v2'],
    blocks: LATENT,
    load: async () => (await import('./families/deepseek.ts')).deepseekV2,
  },
  {
    modelTypes: ['deepseek_v3'],
    blocks: LATENT,
    load: async () => (await import('./families/deepseek.ts')).deepseekV3,
  },
  {
    modelTypes: ['glm4_moe_lite'],
    blocks: LATENT,
    load: async () => (await import('./families/deepseek.ts')).glm4MoeLite,
  },
  {
    modelTypes: ['solar_open'],
    blocks: GATED,
    load: async () => (await import('./families/sigmoid-moe.ts')).solarOpen,
  },
  {
    modelTypes: ['hy_v3'],
    blocks: GATED,
    load: async () => (await import('./families/sigmoid-moe.ts')).hyV3,
  },
  {
    modelTypes: ['exaone_moe'],
    blocks: GATED,
    load: async () => (await import('./families/sigmoid-moe.ts')).exaoneMoe,
  },
  {
    modelTypes: ['lfm2_moe'],
    blocks: [...GATED, 'shortConv'],
    load: async () => (await import('./families/lfm2-moe.ts')).lfm2Moe,
  },
  {
    modelTypes: ['gpt_oss'],
    blocks: GATED,
    load: async () => (await import('./families/gpt-oss.ts')).gptOss,
  },
  {
    modelTypes: ['doge'],
    blocks: ['product', 'neuron', 'biasedAttention'],
    load: async () => (await import('./families/doge.ts')).doge,
  },
  {
    modelTypes: ['smallthinker'],
    blocks: GATED,
    load: async () => (await import('./families/smallthinker.ts')).smallThinker,
  },
  { modelTypes: ['afmoe'], blocks: GATED, load: async () => (await import('./families/afmoe.ts')).afmoe },
  { modelTypes: ['mellum'], blocks: GATED, load: async () => (await import('./families/mellum.ts')).mellum },
  {
    modelTypes: ['bailing_moe', 'bailing_moe_v2'],
    blocks: GATED,
    load: async () => (await import('./families/bailing.ts')).bailingMoe,
  },
  {
    modelTypes: ['gemma4_text'],
    blocks: GATED,
    load: async () => (await import('./families/gemma4.ts')).gemma4,
  },
  {
    modelTypes: ['llama4_text'],
    blocks: GATED,
    load: async () => (await import('./families/llama4.ts')).llama4,
  },
  {
    modelTypes: ['phimoe'],
    blocks: GATED,
    load: async () => (await import('./families/phimoe.ts')).phimoe,
  },
  {
    modelTypes: ['peer'],
    blocks: ['productKeys', 'neuron', 'attention'],
    load: async () => (await import('./families/peer.ts')).peer,
  },
];

/**
 * Finds the family of a config, or of the text model in it. Reads only the config, so it needs no weight file.
 *
 * @throws {AtomoeError} unsupported-model - no family has the `model_type`; bad-file -
 *   `model_type` is missing
 */
export function findFamily<F extends ConfigFamily>(
  config: ConfigValues,
  label: string,
  extra: readonly F[] = [],
): F | ListedFamily {
  const type = readerOf(familyConfig(config, extra), label).text(['model_type']);
  const families = [...extra, ...FAMILIES];
  const family = familyOf(type, families);
  if (!family) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: model_type "${type}" is not a supported family (${families.flatMap(({ modelTypes }) => modelTypes).join(', ')}); ` +
        'choose a model of one of these families',
    );
  }
  return family;
}

function familyOf<F extends ConfigFamily | ListedFamily>(
  type: unknown,
  families: readonly F[],
): F | undefined {
  return families.find(({ modelTypes }) => modelTypes.some((name) => name === type));
}

/** The config that a family reads: that of the text model, if there is a family for it and none for the whole. */
export function familyConfig(config: ConfigValues, extra: readonly ConfigFamily[] = []): ConfigValues {
  const families = [...extra, ...FAMILIES];
  const text = textConfig(config);
  const isText = text && !familyOf(config['model_type'], families) && familyOf(text['model_type'], families);
  return isText ? text : config;
}

/**
 * Finds the family of a config and parses it.
 *
 * @param file - determines the names and layers of the spec; default: the usual names, and the config's layers
 * @throws {AtomoeError} unsupported-model - no family supports the model or its options; bad-file - a key is missing,
 *   invalid, or contradicts the file
 */
export async function parseModel<F extends ConfigFamily>(
  config: ConfigValues,
  label: string,
  extra: readonly F[] = [],
  file?: FileTensors,
): Promise<{ readonly family: F | ConfigFamily; readonly spec: ModelSpec }> {
  const found = findFamily(config, label, extra);
  if (!('load' in found)) return { family: found, spec: parseForeign(found, config, label, file) };
  const family = await found.load();
  return { family, spec: parseOwn(family, config, label, file) };
}

/**
 * Loads a built-in family, from which one from outside can be made: `{ ...family, parse: (...given) => edit(family.parse(...given)) }`.
 *
 * @throws {AtomoeError} unsupported-model - no built-in family has this `model_type`
 */
export async function builtInFamily(modelType: string): Promise<ConfigFamily> {
  const listed = findFamily({ model_type: modelType }, modelType) as ListedFamily;
  const { modelTypes, parse, defaults: classes } = await listed.load();
  return {
    modelTypes,
    parse(config, file) {
      const reader = config.withDefaults(
        classes?.get(config.text(['model_type'])) ?? classes?.get(modelType),
      );
      const spec = parse(reader, file);
      reader.refuseUnread(CHANGING);
      return spec;
    },
  };
}

/** Parses with a family from outside; its errors are reported as faults of the family, not of the model. */
function parseForeign(
  family: ConfigFamily,
  config: ConfigValues,
  label: string,
  file: FileTensors | undefined,
): ModelSpec {
  let spec: unknown;
  try {
    spec = family.parse(readerOf(config, label), file);
  } catch (cause) {
    if (cause instanceof AtomoeError) throw cause;
    throw foreignFault(family, `threw ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const isSpec =
    typeof spec === 'object' && spec !== null && Array.isArray((spec as Partial<ModelSpec>).layers);
  if (!isSpec) throw foreignFault(family, 'parsed no spec with layers');
  return spec as ModelSpec;
}

function foreignFault({ modelTypes }: ConfigFamily, what: string, cause?: unknown): AtomoeError {
  return new AtomoeError(
    'bad-input',
    `the family of ${modelTypes.join(', ')} ${what}; wanted a ModelSpec at once; correct its parse`,
    { cause },
  );
}

/** Parses a config with one of the built-in families. */
export function parseOwn(
  family: BuiltInFamily,
  config: ConfigValues,
  label: string,
  file?: FileTensors,
): ModelSpec {
  const reader = readerOf(config, label, family.defaults?.get(String(config['model_type'])));
  const spec = family.parse(reader, file);
  reader.refuseUnread(CHANGING);
  return spec;
}

function readerOf(config: ConfigValues, label: string, defaults: ConfigValues = {}): ConfigReader {
  return new ConfigReader(config, `${label} config.json`, defaults);
}

/**
 * Keys that change the computation in some classes, with the values that have no effect: multipliers of Granite and Cohere, caps
 * of Gemma and Grok, scales of MiniCPM, routing of DeepSeek, and others. Options with tensors of their own (biases, shared
 * experts) are detected in the file.
 */
const CHANGING: Readonly<Record<string, readonly unknown[]>> = {
  final_logit_softcapping: [],
  attn_logit_softcapping: [],
  query_pre_attn_scalar: [],
  logit_scale: [1],
  logits_scaling: [1],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  attention_multiplier: [],
  embedding_multiplier_scale: [1],
  output_multiplier_scale: [1],
  attn_output_multiplier: [],
  router_logit_softcapping: [],
  scale_emb: [1],
  scale_depth: [],
  dim_model_base: [],
  scoring_func: ['softmax'],
  topk_method: ['greedy', 'gready'], // as DeepSeekMoE's class spells it
  routed_scaling_factor: [1, false], // Hunyuan's configs have false for what they do not use
  n_group: [1, false],
  topk_group: [1, false],
  rotary_dim: [],
  use_cla: [false],
  router_scaling_factor: [1],
  clip_qkv: [],
  alibi: [false],
  position_embedding_type: ['rope'],
  attention_chunk_size: [],
  use_parallel_residual: [false],
  swiglu_limit: [],
};
