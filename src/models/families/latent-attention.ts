import type { ConfigReader } from '../config.ts';
import type { LatentAttentionSpec, LinearSpec } from '../spec.ts';
import { linear, type Shell } from './common.ts';
import { yarnAmplitude } from './rope.ts';

/** Epsilon of the norms of latents, whatever the config says of the others. */
const EPS = 1e-6;

/** Sizes of multi-head latent attention. */
interface LatentSizes {
  readonly nope: number;
  readonly rotary: number;
  readonly valueDim: number;
  readonly rank: number;
  readonly queryRank: number; // 0: queries have no latents
  readonly scale: number;
  readonly bias: boolean;
}

/** Reads the sizes of multi-head latent attention; returns the mixer of a layer. */
export function readLatentAttention(
  config: ConfigReader,
  shell: Shell,
): (prefix: string) => LatentAttentionSpec {
  const nope = config.count(['qk_nope_head_dim'], undefined, 4096);
  const rotary = shell.headDim;
  const [queryRank = 0] = config.isNull('q_lora_rank') ? [] : config.integers(['q_lora_rank']);
  const sizes: LatentSizes = {
    nope,
    rotary,
    valueDim: config.count(['v_head_dim'], undefined, 4096),
    rank: config.count(['kv_lora_rank'], undefined, 2 ** 16),
    queryRank,
    scale: readYarnScale(config) / Math.sqrt(nope + rotary),
    bias: config.boolean(['attention_bias']),
  };
  return (prefix) => latentSpec(`${prefix}self_attn.`, shell, sizes);
}

/** The square of YaRN's amplitude for `mscale_all_dim`, by which these classes multiply scores; else 1. */
function readYarnScale(config: ConfigReader): number {
  for (const key of ['rope_parameters', 'rope_scaling']) {
    const section = config.section(key);
    const all = section.number(['mscale_all_dim'], 0);
    if (all !== 0) return yarnAmplitude(section.positive(['factor']), all) ** 2;
  }
  return 1;
}

function latentSpec(at: string, { hidden, heads, rope }: Shell, sizes: LatentSizes): LatentAttentionSpec {
  const { nope, rotary, valueDim, rank, queryRank, scale, bias } = sizes;
  const rows = heads * (nope + rotary);
  const biased = (module: string, outs: number, ins: number): LinearSpec => ({
    ...linear(ins, [`${at}${module}.weight`, outs]),
    ...(bias ? { bias: [{ tensor: `${at}${module}.bias`, shape: [outs] }] } : {}),
  });
  const query =
    queryRank === 0
      ? { query: linear(hidden, [`${at}q_proj.weight`, rows]) }
      : {
          query: linear(queryRank, [`${at}q_b_proj.weight`, rows]),
          queryLatent: {
            rank: queryRank,
            down: biased('q_a_proj', queryRank, hidden),
            norm: `${at}q_a_layernorm.weight`,
          },
        };
  return {
    kind: 'latentAttention',
    heads,
    nope,
    valueDim,
    rank,
    scale,
    eps: EPS,
    rope,
    ...query,
    latent: biased('kv_a_proj_with_mqa', rank + rotary, hidden),
    norm: `${at}kv_a_layernorm.weight`,
    up: `${at}kv_b_proj.weight`,
    out: biased('o_proj', hidden, heads * valueDim),
  };
}
