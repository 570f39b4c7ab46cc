import { AtomoeError } from '../../errors.ts';
import type { Activation } from '../../kernels/core/activation.ts';
import type { TensorRows } from '../../weights/tensor-rows.ts';
import type { ConfigReader } from '../config.ts';
import type { BlockSpec } from '../spec.ts';
import { denseMlp, gatedMlp, readExpertCounts, readWidth, type LinearRouter, type Shell } from './common.ts';
import { sparseMlp } from './sparse-mlp.ts';

/** The rule of routers by sigmoid with a selection bias (DeepSeek-V3, arXiv:2412.19437), without its tensors. */
export interface SigmoidRule {
  readonly topK: number;
  readonly groups: { readonly count: number; readonly keep: number };
  readonly renormalise: boolean;
  readonly epsilon: number; // added to the sum that weights are divided by
  readonly scale: number;
}

/**
 * Reads the rule of a router by sigmoid.
 * @throws {AtomoeError} unsupported-model - another score or selection; bad-file - as `readGroups`
 */
export function readSigmoidRule(config: ConfigReader, experts: number, topK: number): SigmoidRule {
  // The class computes the same whatever these keys are; the values below are those of released models.
  config.choice(['scoring_func'], ['sigmoid', 'noaux_tc'], 'sigmoid');
  config.choice(['topk_method'], ['noaux_tc'], 'noaux_tc');
  return {
    topK,
    groups: readGroups(config, experts, topK),
    renormalise: config.boolean(['norm_topk_prob'], true),
    epsilon: 1e-20,
    scale: config.positive(['routed_scaling_factor', 'router_scaling_factor', 'route_scale']),
  };
}

/**
 * Reads the groups of experts, of which only some may be chosen.
 * @throws {AtomoeError} bad-file - groups that the experts do not fill
 */
export function readGroups(config: ConfigReader, experts: number, topK: number): SigmoidRule['groups'] {
  const count = config.count(['n_group'], 1);
  const keep = config.count(['topk_group'], count);
  const size = experts / count;
  if (!Number.isInteger(size) || keep > count || topK > keep * size) {
    throw new AtomoeError(
      'bad-file',
      `config.json: ${topK} of ${experts} experts, in ${keep} of ${count} groups; wanted equal groups, and enough ` +
        'experts in those chosen; check config.json',
    );
  }
  return { count, keep };
}

/** A router by sigmoid: the bias is for the selection only, and a group is worth its two best experts. */
export function sigmoidRouter(
  weight: string,
  bias: TensorRows | string | undefined,
  rule: SigmoidRule,
): LinearRouter {
  const { topK: k, groups, renormalise, epsilon, scale } = rule;
  const isLimited = groups.keep < groups.count;
  return {
    score: { kind: 'linear', weight },
    transform: [{ kind: 'sigmoid' }],
    select: {
      kind: 'topK',
      k,
      ...(bias === undefined ? {} : { bias }),
      ...(isLimited ? { groups: { ...groups, by: 'sumOfTopTwo' } } : {}),
    },
    weigh: renormalise ? { normalise: 'sum', epsilon, scale } : { normalise: 'none', scale },
  };
}

/** What differs in the MLPs of a family. */
export interface MlpChoices {
  /** The router, from the prefix of the MLP's tensors; default: by sigmoid. */
  readonly routerOf?: (at: string) => LinearRouter;
  /** Names of tensors after the prefix of the MLP, where they differ from DeepSeek's. */
  readonly names?: { readonly gate?: string; readonly bias?: string; readonly shared?: string };
  readonly denseLayers?: number; // if the config does not say; default 0
}

/**
 * The MLPs of DeepSeek-V3, GLM-4.5 and dots.llm1: dense in the first layers, then routed experts beside shared ones, which
 * are one MLP.
 */
export function deepseekMlps(
  config: ConfigReader,
  shell: Shell,
  activation: Activation,
  { names = {}, routerOf = readSigmoidRouter(config, names), denseLayers = 0 }: MlpChoices = {},
): (layer: number, prefix: string) => BlockSpec {
  const { hidden } = shell;
  const isDense = readDenseLayers(config, shell.layerCount, denseLayers);
  const counts = readExpertCounts(config);
  const bias = config.boolean(['mlp_bias'], false);
  const width = readWidth(config, 'moe_intermediate_size');
  const [sharedCount = 0] = config.integers(['n_shared_experts', 'num_shared_experts']);
  return (layer, prefix) => {
    const at = `${prefix}mlp.`;
    if (isDense(layer)) {
      return denseMlp(at, hidden, readWidth(config, 'intermediate_size'), activation, bias);
    }
    return {
      ...sparseMlp(prefix, shell, { ...counts, width, activation, renormalise: false }),
      router: routerOf(at),
      ...(sharedCount > 0
        ? {
            shared: gatedMlp(
              `${at}${names.shared ?? 'shared_experts.'}`,
              hidden,
              sharedCount * width,
              activation,
              bias,
            ),
          }
        : {}),
    };
  };
}

function readSigmoidRouter(
  config: ConfigReader,
  { gate = 'gate.weight', bias = 'gate.e_score_correction_bias' }: NonNullable<MlpChoices['names']>,
): (at: string) => LinearRouter {
  const { experts, topK } = readExpertCounts(config);
  const rule = readSigmoidRule(config, experts, topK);
  return (at) => sigmoidRouter(`${at}${gate}`, `${at}${bias}`, rule);
}

/** The layers without experts: as in mlp_layer_types (transformers 5), or the first ones. */
export function readDenseLayers(
  config: ConfigReader,
  layerCount: number,
  denseLayers: number,
): (layer: number) => boolean {
  const [firstSparse = denseLayers] = config.integers(['first_k_dense_replace']);
  const types = config.words('mlp_layer_types');
  if (!types) return (layer) => layer < firstSparse;
  if (types.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: 'the length of mlp_layer_types', value: types.length },
    );
  }
  const other = types.find((type) => type !== 'dense' && type !== 'sparse');
  if (other !== undefined) config.unsupported(`MLP type "${other}"`, 'dense and sparse');
  return (layer) => types[layer] === 'dense';
}
