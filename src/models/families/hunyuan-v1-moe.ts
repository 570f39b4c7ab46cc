import { AtomoeError } from '../../errors.ts';
import type { ConfigReader, ConfigValues } from '../config.ts';
import { USUAL_DEFAULTS } from '../class-defaults.ts';
import type { BuiltInFamily } from '../family.ts';
import {
  attention,
  decoder,
  gatedMlp,
  layerOf,
  layers,
  readActivation,
  readShell,
  readWidth,
  softmaxRouter,
} from './common.ts';
import { sparseMlp } from './sparse-mlp.ts';
import { refuseWindow } from './windows.ts';

const HUNYUAN_V1_MOE_DEFAULTS: ConfigValues = {
  ...USUAL_DEFAULTS,
  vocab_size: 290_943,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  num_experts: 1,
  moe_topk: 1,
};

/**
 * Hunyuan-A13B: q and k normalised per head after their rotation; renormalised softmax router; a shared expert
 * (transformers' HunYuanMoEV1).
 */
export const hunyuanV1Moe: BuiltInFamily = {
  modelTypes: ['hunyuan_v1_moe'],
  defaults: new Map([['hunyuan_v1_moe', HUNYUAN_V1_MOE_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file, { ntkAlpha: true });
    const { hidden, layerCount } = shell;
    refuseWindow(config, layerCount);
    const activation = readActivation(config);
    const bias = config.boolean(['attention_bias']);
    const experts = perLayer(config, ['num_experts', 'num_local_experts'], layerCount);
    const topK = perLayer(config, ['moe_topk', 'num_experts_per_tok'], layerCount);
    const width = readWidth(config, 'intermediate_size');
    // The class has experts and one shared expert of intermediate_size, whatever these lists contain.
    only(config, 'moe_intermediate_size', width);
    only(config, 'num_shared_expert', 1);
    return decoder(
      'hunyuan_v1_moe',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const mlp = `${prefix}mlp.`;
        const sizes = { experts: experts[layer] ?? 1, topK: topK[layer] ?? 1, width, activation };
        return layerOf(
          prefix,
          attention(prefix, shell, {
            norm: 'rotated',
            normNames: ['query_layernorm', 'key_layernorm'],
            qkvBias: bias,
            outBias: bias,
          }),
          {
            ...sparseMlp(prefix, shell, { ...sizes, renormalise: true }),
            router: softmaxRouter(`${mlp}gate.wg.weight`, sizes.topK, true),
            shared: gatedMlp(`${mlp}shared_mlp.`, hidden, width, activation),
          },
        );
      }),
    );
  },
};

/** A number for all layers, or a list of one per layer. */
function perLayer(config: ConfigReader, keys: readonly string[], layerCount: number): number[] {
  const list = config.integers(keys);
  const all = list.length === 1 ? Array<number>(layerCount).fill(list[0] ?? 0) : list;
  if (all.length === layerCount && all.every((count) => count > 0)) return all;
  throw new AtomoeError(
    'bad-file',
    `config.json: ${keys[0]} is ${JSON.stringify(list)}; wanted a positive number, or ${layerCount} of them; check config.json`,
  );
}

/** Rejects a key with another number, or a list with another number in it. */
function only(config: ConfigReader, key: string, wanted: number): void {
  const other = config.integers([key]).find((value) => value !== wanted);
  if (other !== undefined) config.unsupported(`${key} ${other}`, `${wanted} in every layer`);
}
