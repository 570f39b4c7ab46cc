import type { ConfigReader, ConfigValues } from '../config.ts';
import type { BuiltInFamily } from '../family.ts';
import { attention, decoder, layerOf, layers, readShell } from './common.ts';
import { GRANITEMOESHARED_DEFAULTS, graniteMlp, readGraniteSizes, readMultipliers } from './granite-moe.ts';
import { readWindows } from './windows.ts';

const GRANITEMOE_SWA_DEFAULTS: ConfigValues = {
  ...GRANITEMOESHARED_DEFAULTS,
  sliding_window: 128,
};

/**
 * Granite MoE with attention sinks, a window in most layers, and a base of rotary positions for each layer (transformers'
 * GraniteMoeSWA).
 */
export const graniteMoeSwa: BuiltInFamily = {
  modelTypes: ['granitemoe_swa'],
  defaults: new Map([['granitemoe_swa', GRANITEMOE_SWA_DEFAULTS]]),
  parse: (config, file) => {
    const shell = readShell(config, file);
    if (config.isNull('sliding_window')) config.unsupported('sliding_window null', 'a window');
    const windows = readWindows(config, shell.layerCount, {
      isOn: true,
      slides: (layer) => layer % 4 !== 0,
      followsTypes: true,
    });
    const thetas = readThetas(config, shell.layerCount) ?? windows.map(() => shell.rope.theta);
    const bias = config.boolean(['attention_bias']);
    const scale = config.positive(['attention_multiplier']);
    const sizes = readGraniteSizes(config);
    if (sizes.experts === 0) config.unsupported('num_local_experts 0', 'experts');
    return decoder(
      'granitemoe_swa',
      config,
      shell,
      layers(shell, (layer, prefix) => {
        const theta = thetas[layer] ?? 0;
        const rope = theta === 0 ? shell.rope : { ...shell.rope, theta };
        const window = windows[layer] ?? 0;
        const choices = { scale, window, sinks: true, qkvBias: bias, outBias: bias, isRotated: theta !== 0 };
        return layerOf(
          prefix,
          attention(prefix, { ...shell, rope }, choices),
          graniteMlp(prefix, shell, sizes),
        );
      }),
      readMultipliers(config),
    );
  },
};

/** The base of each layer; 0: no positions. */
function readThetas(config: ConfigReader, layerCount: number): readonly number[] | undefined {
  const key = 'layer_rope_theta';
  const list = config.list(key);
  if (!list) return undefined;
  if (list.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: `the length of ${key}`, value: list.length },
    );
  }
  const isBase = (value: unknown): value is number =>
    typeof value === 'number' && (value === 0 || (value >= 1 && Number.isFinite(Math.fround(value))));
  return list.every(isBase)
    ? list
    : config.unsupported(
        `${key} ${JSON.stringify(list).slice(0, 60)}`,
        '0, or a number of at least 1, for each layer',
      );
}
