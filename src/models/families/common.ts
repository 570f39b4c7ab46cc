import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader } from '../config.ts';
import { checkLayerCount, spelling, type FileTensors } from '../file-tensors.ts';
import type {
  AttentionSpec,
  BlockSpec,
  DeltaNetSpec,
  DenseSpec,
  GatedExpertSpec,
  GatedMlpSpec,
  LatentAttentionSpec,
  LayerSpec,
  LinearScoreSpec,
  LinearSpec,
  ModelSpec,
  MoeSpec,
  RopeSpec,
  RouterSpec,
  StateSpaceSpec,
} from '../spec.ts';
import type { ExpertRows } from '../../weights/tensor-rows.ts';
import { readRope, type RopeRule } from './rope.ts';

/** Sizes common to nearly all decoder configs, and the prefix of their tensors. */
export interface Shell {
  readonly hidden: number;
  readonly layerCount: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rope: RopeSpec;
  readonly base: string; // prefix of `layers.`; empty in files saved without the logits head
  readonly embedding: string; // its name, after the base
  readonly file: FileTensors | undefined;
}

/** Maximum plausible sizes: each ten times that of any existing model. */
const MOST = {
  layers: 1024,
  heads: 4096,
  headDim: 4096,
  hidden: 2 ** 18,
  width: 2 ** 20,
  vocab: 2 ** 24,
  experts: 2 ** 16,
};

const EMBEDDING = 'embed_tokens.weight';

/** Names and sizes of a decoder that differ from the usual ones. */
export interface Outline {
  readonly layerCount?: number; // default: num_hidden_layers
  readonly bases?: readonly [string, ...string[]]; // possible prefixes of `layers.`
  readonly embedding?: string; // after the base
}

/** Reads the sizes of a decoder. The number of layers is checked against the file before anything depends on it. */
export function readShell(
  config: ConfigReader,
  file?: FileTensors,
  rope?: RopeRule,
  { layerCount: given, bases = ['model.', ''], embedding = EMBEDDING }: Outline = {},
): Shell {
  const hidden = config.count(['hidden_size'], undefined, MOST.hidden);
  const heads = config.count(['num_attention_heads'], undefined, MOST.heads);
  const { headDimKey } = rope ?? {};
  if (headDimKey === undefined && !Number.isInteger(hidden / heads) && !config.has('head_dim')) {
    config.unsupported(`hidden_size ${hidden} over ${heads} heads`, 'a whole head_dim');
  }
  const [usual, ...others] = bases.map((prefix) => `${prefix}${embedding}`);
  const base = spelling(file, [usual ?? embedding, ...others]).slice(0, -embedding.length);
  const layerCount = given ?? config.count(['num_hidden_layers'], undefined, MOST.layers);
  if (file) checkLayerCount(file, base, layerCount, readPredictors(config));
  const headDim = headDimKey
    ? config.count([headDimKey], undefined, MOST.headDim)
    : config.count(['head_dim'], hidden / heads, MOST.headDim);
  return {
    hidden,
    heads,
    layerCount,
    kvHeads: config.isNull('num_key_value_heads')
      ? heads
      : config.count(['num_key_value_heads'], heads, MOST.heads),
    headDim,
    rope: readRope(config, headDim, rope),
    base,
    embedding,
    file,
  };
}

/** The number of layers behind the last one that predict further tokens, which are not run. */
function readPredictors(config: ConfigReader): number {
  const [count = 0] = config.integers(['num_nextn_predict_layers', 'num_mtp_layers']);
  if (count >= 0 && count <= MOST.layers) return count;
  return config.unsupported(`num_nextn_predict_layers ${count}`, `0 to ${MOST.layers} of them`);
}

/** Reads the width of an MLP or expert. */
export function readWidth(config: ConfigReader, ...keys: readonly string[]): number {
  return config.count(keys, undefined, MOST.width);
}

/** Maximum number of one-neuron experts per layer: a grid of 4096 x 4096, sixteen times the largest published. */
export const MAX_NEURONS = 2 ** 24;

/**
 * Reads the number of experts of a product router.
 * @throws {AtomoeError} unsupported-model - not a square number: only experts of a square grid can be chosen
 */
export function readSquare(config: ConfigReader, key: string): number {
  const experts = config.count([key], undefined, MAX_NEURONS);
  const grid = Math.floor(Math.sqrt(experts));
  if (grid * grid === experts) return experts;
  return config.unsupported(
    `${key} ${experts}`,
    `a square number such as ${grid * grid}: the others are unreachable`,
  );
}

/** Numbers of routed experts per layer and per token. */
export interface ExpertCounts {
  readonly experts: number;
  readonly topK: number;
}

/** The usual keys for the number of experts of a layer. */
export const EXPERT_KEYS = ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'];

/**
 * Reads the number of experts and topK, under any of their usual keys.
 * @throws {AtomoeError} bad-file - out of range, or topK exceeds the number of experts
 */
export function readExpertCounts(config: ConfigReader): ExpertCounts {
  return {
    experts: config.count(EXPERT_KEYS, undefined, MOST.experts),
    topK: config.count(['num_experts_per_tok', 'moe_k', 'top_k_experts'], undefined, MOST.experts),
  };
}

const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map([
  ['silu', 'silu'],
  ['swish', 'silu'],
  ['gelu', 'gelu'],
  ['gelu_pytorch_tanh', 'gelu-tanh'],
  ['gelu_new', 'gelu-tanh'],
  ['relu', 'relu'],
]);

/**
 * Reads the activation of MLPs and experts.
 * @throws {AtomoeError} unsupported-model - unknown activation
 */
export function readActivation(config: ConfigReader): Activation {
  const name = config.text(['hidden_act', 'hidden_activation']);
  const known = [...ACTIVATIONS.keys()].join(', ');
  return ACTIVATIONS.get(name) ?? config.unsupported(`activation "${name}"`, known);
}

/** A linear layer of stacked matrices, with the number of rows of each. */
export function linear(
  cols: number,
  ...weights: readonly (readonly [name: string, rows: number])[]
): LinearSpec {
  return { weight: weights.map(([tensor, rows]) => ({ tensor, shape: [rows, cols] })) };
}

/** Options of a family's attention that differ from the defaults. */
export interface AttentionChoices {
  readonly norm?: AttentionSpec['norm']['kind'];
  readonly normNames?: readonly [q: string, k: string];
  readonly module?: string; // default: self_attn.
  readonly outName?: string; // default: o_proj
  readonly qkvBias?: boolean;
  readonly outBias?: boolean;
  readonly scale?: number;
  readonly window?: number;
  readonly sinks?: boolean;
  readonly isRotated?: boolean; // default: true
  readonly valueName?: string; // default: v_proj; k_proj where values are the keys before norm and rotation
  readonly clip?: number | undefined; // default: none
}

/** Attention under the usual names `self_attn.{q,k,v,o}_proj`, `{q,k}_norm`. */
export function attention(prefix: string, shell: Shell, choices: AttentionChoices = {}): AttentionSpec {
  const { norm = 'none', normNames: [q, k] = ['q_norm', 'k_norm'] } = choices;
  const {
    qkvBias = false,
    outBias = false,
    sinks = false,
    outName = 'o_proj',
    valueName = 'v_proj',
  } = choices;
  const { heads, kvHeads, headDim, hidden, rope } = shell;
  const at = `${prefix}${choices.module ?? 'self_attn.'}`;
  const cached = kvHeads * headDim;
  const projections = [
    [`${at}q_proj`, heads * headDim],
    [`${at}k_proj`, cached],
    [`${at}${valueName}`, cached],
  ] as const;
  const weights = projections.map(([name, rows]) => [`${name}.weight`, rows] as const);
  const biases = projections.map(([name, rows]) => ({ tensor: `${name}.bias`, shape: [rows] }));
  return {
    kind: 'attention',
    heads,
    kvHeads,
    headDim,
    // Math.sqrt is correctly rounded; a power differs in its last bit between versions of V8.
    scale: choices.scale ?? 1 / Math.sqrt(headDim),
    window: choices.window ?? 0,
    rope: choices.isRotated === false ? { ...rope, rotaryDim: 0 } : rope,
    ...(choices.clip === undefined ? {} : { clip: choices.clip }),
    ...(sinks ? { sinks: `${at}sinks` } : {}),
    norm: norm === 'none' ? { kind: norm } : { kind: norm, q: `${at}${q}.weight`, k: `${at}${k}.weight` },
    qkv: { ...linear(hidden, ...weights), ...(qkvBias ? { bias: biases } : {}) },
    out: {
      ...linear(heads * headDim, [`${at}${outName}.weight`, hidden]),
      ...(outBias ? { bias: [{ tensor: `${at}${outName}.bias`, shape: [hidden] }] } : {}),
    },
  };
}

/** A gated MLP under `gate_proj`, `up_proj`, `down_proj`. */
export function gatedMlp(
  prefix: string,
  hidden: number,
  width: number,
  activation: Activation,
  bias = false,
): GatedMlpSpec {
  const biases = (...parts: readonly (readonly [module: string, rows: number])[]) =>
    bias
      ? { bias: parts.map(([module, rows]) => ({ tensor: `${prefix}${module}.bias`, shape: [rows] })) }
      : {};
  return {
    width,
    activation,
    gateUp: {
      ...linear(hidden, [`${prefix}gate_proj.weight`, width], [`${prefix}up_proj.weight`, width]),
      ...biases(['gate_proj', width], ['up_proj', width]),
    },
    down: { ...linear(width, [`${prefix}down_proj.weight`, hidden]), ...biases(['down_proj', hidden]) },
  };
}

/** A dense gated MLP under the usual names after `prefix`. */
export function denseMlp(...names: Parameters<typeof gatedMlp>): DenseSpec {
  return { kind: 'dense', ...gatedMlp(...names) };
}

/** Sizes of a layer's gated experts. */
export interface ExpertSizes {
  readonly experts: number;
  readonly width: number;
  readonly hidden: number;
}

/** Names of tensors of all experts: gates and ups fused, gate rows first; and downs. */
export interface FusedNames {
  readonly gateUp: string; // [experts, 2 * width, hidden]
  readonly down: string; // [experts, hidden, width]
}

type ExpertMatrices = Pick<GatedExpertSpec, 'gate' | 'up' | 'down'>;

/** Gated experts of three tensors each; `name` returns a matrix's name, which contains `{expert}`. */
export function separateExperts(
  { width, hidden }: ExpertSizes,
  name: (matrix: 'gate' | 'up' | 'down') => string,
): ExpertMatrices {
  const across = [width, hidden];
  return {
    gate: { tensor: name('gate'), shape: across },
    up: { tensor: name('up'), shape: across },
    down: { tensor: name('down'), shape: [hidden, width] },
  };
}

/**
 * Gated experts stored as tensors of all experts: gateUp [experts, 2 * width, hidden], down [experts,
 * hidden, width].
 */
export function fusedExperts(
  { experts, width, hidden }: ExpertSizes,
  { gateUp, down }: FusedNames,
): ExpertMatrices {
  const both: ExpertRows = { tensor: gateUp, shape: [experts, 2 * width, hidden] };
  return {
    gate: { ...both, start: 0, count: width },
    up: { ...both, start: width, count: width },
    down: { tensor: down, shape: [experts, hidden, width] },
  };
}

/** The names of fused experts, as in transformers 5 and some tools' files, if the file has them. */
export function fusedIn(file: FileTensors | undefined, experts: string): FusedNames | undefined {
  const names = { gateUp: `${experts}gate_up_proj`, down: `${experts}down_proj` };
  return file?.has(names.gateUp) ? names : undefined;
}

/** A router that scores experts by a linear map of the hidden state. */
export type LinearRouter = RouterSpec<LinearScoreSpec>;

/** A router with softmax over all experts, then top-k, with or without renormalisation. */
export function softmaxRouter(weight: string, k: number, renormalise: boolean): LinearRouter {
  return {
    score: { kind: 'linear', weight },
    transform: [{ kind: 'softmax' }],
    select: { kind: 'topK', k },
    weigh: { normalise: renormalise ? 'sum' : 'none' },
  };
}

/** Gated experts with a linear router, as in nearly all families. */
export type GatedMoeSpec = MoeSpec<LinearRouter, GatedExpertSpec>;

/** Options of a family's decoder that differ from the defaults. */
export interface DecoderChoices extends Partial<
  Pick<ModelSpec, 'embeddingMultiplier' | 'residualMultiplier' | 'logitsMultiplier' | 'gainOffset'>
> {
  readonly norm?: string; // the final gain, after the prefix; default: norm.weight
}

/** A decoder with the given layers: embedding, final norm and head under the usual names. */
export function decoder(
  family: string,
  config: ConfigReader,
  shell: Shell,
  layers: readonly LayerSpec[],
  { norm = 'norm.weight', ...multipliers }: DecoderChoices = {},
): ModelSpec {
  const { base, file } = shell;
  const embedding = `${base}${shell.embedding}`;
  const predictors = Array.from({ length: readPredictors(config) }, (_, index) => shell.layerCount + index);
  return {
    family,
    vocab: config.count(['vocab_size'], undefined, MOST.vocab),
    hidden: shell.hidden,
    eps: config.positive(['rms_norm_eps', 'norm_eps', 'layer_norm_epsilon']),
    maxContextTokens: config.count(['max_position_embeddings']),
    layers,
    ...(predictors.length > 0 ? { skipped: predictors.map((index) => `${base}layers.${index}.`) } : {}),
    ...tied(embedding, config.boolean(['tie_word_embeddings', 'tie_embedding']), file),
    embeddingMultiplier: 1,
    residualMultiplier: 1,
    logitsMultiplier: 1,
    ...multipliers,
    norm: `${base}${norm}`,
    bosId: config.integers(['bos_token_id'])[0],
    eosIds: config.integers(['eos_token_id']),
  };
}

const HEAD = 'lm_head.weight';

/**
 * Names of embedding and head. The file takes precedence, as in transformers: if the config ties them and the file has both,
 * they are separate; if the file has only the head, it is used for both.
 */
function tied(
  embedding: string,
  isTied: boolean,
  file: FileTensors | undefined,
): Pick<ModelSpec, 'embedding' | 'head'> {
  const only = isTied && file?.has(HEAD) === true && !file.has(embedding);
  if (only) return { embedding: HEAD, head: HEAD };
  return { embedding, head: isTied && !file?.has(HEAD) ? embedding : HEAD };
}

/** One `LayerSpec` per layer. */
export function layers(shell: Shell, make: (layer: number, prefix: string) => LayerSpec): LayerSpec[] {
  return Array.from({ length: shell.layerCount }, (_, layer) => make(layer, `${shell.base}layers.${layer}.`));
}

/** The names of a layer's tensors. */
export interface LayerNames {
  /** The matrix of a module. */
  weight(module: string): string;
  /** Any other tensor. */
  other(name: string): string;
  /** A tensor that may be absent; then undefined. */
  optional(name: string): string | undefined;
}

/** Names after a prefix. Some files name a matrix like its module, without `.weight`. */
export function namesUnder(prefix: string, file?: FileTensors): LayerNames {
  const other = (name: string) => `${prefix}${name}`;
  return {
    weight: (module) => spelling(file, [other(`${module}.weight`), other(module)]),
    other,
    optional: (name) => (file?.has(other(name)) ? other(name) : undefined),
  };
}

/** A layer of two sublayers, under the usual names of their norms. */
export function layerOf(
  prefix: string,
  mixer: AttentionSpec | LatentAttentionSpec | StateSpaceSpec | DeltaNetSpec,
  mlp: BlockSpec | GatedMoeSpec,
): LayerSpec {
  return {
    sublayers: [
      { norm: `${prefix}input_layernorm.weight`, block: mixer },
      { norm: `${prefix}post_attention_layernorm.weight`, block: mlp },
    ],
  };
}
