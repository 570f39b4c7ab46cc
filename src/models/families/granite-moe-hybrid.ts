import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readShell } from './common.ts';
import { GRANITE_MOE_DEFAULTS, graniteMlp, readGraniteSizes, readMultipliers } from './granite-moe.ts';
import { readRecurrentLayers, readTimeStepLimit, stateSpace, type MambaSizes } from './mamba.ts';

const GRANITEMOEHYBRID_DEFAULTS: ConfigValues = {
  ...GRANITE_MOE_DEFAULTS,
  shared_intermediate_size: 1024,
  mamba_n_heads: 128,
  mamba_n_groups: 1,
  mamba_d_state: 256,
  mamba_d_head: 'auto',
  mamba_d_conv: 4,
  mamba_expand: 2,
  mamba_conv_bias: true,
  mamba_proj_bias: false,
};

/** Granite 4: state spaces (Mamba-2) and some attention, mostly without positions; the rest as Granite MoE (IBM 2025). */
export const graniteMoeHybrid: BuiltInFamily = {
  modelTypes: ['granitemoehybrid'],
  defaults: new Map([['granitemoehybrid', GRANITEMOEHYBRID_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    const [window = 0] = config.integers(['sliding_window']);
    if (window !== 0) config.unsupported(`sliding_window ${window}`, 'full attention');
    const isRecurrent = readRecurrentLayers(config, shell.layerCount, () => true);
    const isRotated = config.choice(['position_embedding_type'], ['rope', 'nope'], 'nope') === 'rope';
    const bias = config.boolean(['attention_bias']);
    const scale = config.positive(['attention_multiplier']);
    const sizes = readGraniteSizes(config);
    if (sizes.activation !== 'silu') config.unsupported(`activation "${sizes.activation}"`, 'silu');
    const mamba = readMamba(config, shell.hidden);
    return decoder(
      'granitemoehybrid',
      config,
      shell,
      layers(shell, (layer, prefix) =>
        layerOf(
          prefix,
          isRecurrent[layer]
            ? stateSpace(`${prefix}mamba.`, mamba)
            : attention(prefix, shell, { scale, qkvBias: bias, outBias: bias, isRotated }),
          graniteMlp(prefix, shell, sizes),
        ),
      ),
      readMultipliers(config),
    );
  },
};

function readMamba(config: ConfigReader, hidden: number): MambaSizes {
  const heads = config.count(['mamba_n_heads'], undefined, 4096);
  const inner = config.count(['mamba_expand'], undefined, 64) * hidden;
  const isAuto = config.is('mamba_d_head', 'auto');
  const dims = isAuto ? Math.floor(inner / heads) : config.count(['mamba_d_head'], undefined, 4096);
  if (heads * dims !== inner) {
    throw config.contradiction(
      { key: 'mamba_n_heads * mamba_d_head', value: heads * dims },
      { key: 'mamba_expand * hidden_size', value: inner },
    );
  }
  const bounds = readTimeStepLimit(config);
  return {
    hidden,
    heads,
    dims,
    groups: config.count(['mamba_n_groups'], undefined, 4096),
    states: config.count(['mamba_d_state'], undefined, 4096),
    taps: config.count(['mamba_d_conv'], undefined, 64),
    normGroups: 1,
    convBias: config.boolean(['mamba_conv_bias']),
    projectionBias: config.boolean(['mamba_proj_bias']),
    ...(bounds ? { bounds } : {}),
  };
}
