import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import type { AttentionSpec, BlockSpec } from '../spec.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  linear,
  readActivation,
  readExpertCounts,
  readShell,
  softmaxRouter,
  type AttentionChoices,
  type Shell,
} from './common.ts';
import { deepseekMlps } from './deepseek-mlp.ts';
import { readWindows } from './windows.ts';

/** Not classes of transformers, but of the models' publisher; both versions have these. */
const BAILING_DEFAULTS: ConfigValues = {
  hidden_act: 'silu',
  tie_word_embeddings: false,
  n_group: 8,
  topk_group: 4,
};

/**
 * Ling and Ring: q, k and v in one matrix; dense layers, then experts beside shared ones. The first version routes by softmax
 * (arXiv:2503.05139); the second by sigmoid in groups, with norms of q and k, and half of each head rotated (arXiv:2510.22115).
 */
export const bailingMoe: BuiltInFamily = {
  modelTypes: ['bailing_moe', 'bailing_moe_v2'],
  defaults: new Map([
    ['bailing_moe', BAILING_DEFAULTS],
    ['bailing_moe_v2', BAILING_DEFAULTS],
  ]),
  parse: (config, file) => {
    const type = config.text(['model_type']);
    // Configs of the second version may have the type of the first.
    const isSecond =
      type === 'bailing_moe_v2' ||
      config.words('architectures')?.includes('BailingMoeV2ForCausalLM') === true;
    const shell = readShell(config, file, { partial: isSecond }, { embedding: 'word_embeddings.weight' });
    refuseOthers(config);
    readWindows(config, shell.layerCount, { isOn: false });
    const mixer = readAttention(config, shell, isSecond);
    const mlp = readMlps(config, shell, readActivation(config), isSecond);
    const spec = decoder(
      type,
      config,
      shell,
      layers(shell, (layer, prefix) => layerOf(prefix, mixer(prefix), mlp(layer, prefix))),
    );
    return config.boolean(['norm_head'], false) ? { ...spec, headColumnEps: HEAD_EPS } : spec;
  },
};

/** Added to the lengths of the head's columns by the classes' `norm_head`. */
const HEAD_EPS = 1e-7;

/** Options of the classes that no run model has. */
function refuseOthers(config: ConfigReader): void {
  const plain = {
    multi_gate: false,
    use_sliding_window: false,
    use_rmsnorm: true,
  } as const;
  for (const [key, wanted] of Object.entries(plain)) {
    if (config.boolean([key], wanted) !== wanted) config.unsupported(`${key} ${!wanted}`, `${key} ${wanted}`);
  }
}

function readAttention(
  config: ConfigReader,
  shell: Shell,
  isSecond: boolean,
): (prefix: string) => AttentionSpec {
  const qkvBias = config.boolean(['use_qkv_bias'], false);
  const choices: AttentionChoices = {
    module: 'attention.',
    outName: 'dense',
    norm: config.boolean(['use_qk_norm'], isSecond) ? 'head' : 'none',
    normNames: ['query_layernorm', 'key_layernorm'],
    qkvBias,
    outBias: config.boolean(['use_bias'], false),
  };
  const { file, heads, kvHeads, headDim, hidden } = shell;
  const rows = (heads + 2 * kvHeads) * headDim;
  return (prefix) => {
    const mixer = attention(prefix, shell, choices);
    const at = `${prefix}attention.query_key_value`;
    if (file?.has(`${prefix}attention.q_proj.weight`)) return mixer; // as in GGUF files
    const bias = qkvBias ? { bias: [{ tensor: `${at}.bias`, shape: [rows] }] } : {};
    return { ...mixer, qkv: { ...linear(hidden, [`${at}.weight`, rows]), ...bias } };
  };
}

function readMlps(
  config: ConfigReader,
  shell: Shell,
  activation: Activation,
  isSecond: boolean,
): (layer: number, prefix: string) => BlockSpec {
  checkSharedWidth(config);
  const { topK } = readExpertCounts(config);
  const score = isSecond ? 'sigmoid' : 'softmax';
  config.choice(['score_function'], [score], score);
  // The weight of a single expert is never renormalised.
  const isRenormalised = config.boolean(['norm_topk_prob'], true) && topK > 1;
  if (!isSecond) {
    const routerOf = (at: string) => softmaxRouter(`${at}gate.weight`, topK, isRenormalised);
    return deepseekMlps(config, shell, activation, { routerOf });
  }
  if (!isRenormalised)
    config.unsupported('norm_topk_prob false, or one expert per token', 'renormalised weights');
  if (!config.boolean(['moe_router_enable_expert_bias'], true))
    config.unsupported('moe_router_enable_expert_bias false', 'a bias of the selection');
  return deepseekMlps(config, shell, activation, { names: { bias: 'gate.expert_bias' } });
}

/** The key is the width of one shared expert, or of all; the classes take it to be that of the routed ones. */
function checkSharedWidth(config: ConfigReader): void {
  const key = 'moe_shared_expert_intermediate_size';
  const [given] = config.integers([key]);
  if (given === undefined) return;
  const width = config.count(['moe_intermediate_size']);
  const [count = 0] = config.integers(['n_shared_experts', 'num_shared_experts']);
  if (given !== width && given !== width * count)
    config.unsupported(`${key} ${given}`, `${key} ${width}, as of the routed experts`);
}
