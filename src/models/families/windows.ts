import type { ConfigReader } from '../config.ts';

/** A family's interpretation of `sliding_window` and `layer_types`. */
export interface WindowRule {
  /** Whether the config enables the window. Default: if `sliding_window` is given. */
  readonly isOn?: boolean;
  /** Layers with a window if `layer_types` is absent. Default: all. */
  readonly slides?: (layer: number) => boolean;
  /** Whether the family follows `layer_types`; otherwise `layer_types` may only confirm the family's choice. */
  readonly followsTypes?: boolean;
}

/**
 * The window of each layer in keys; 0: all keys. A config that contradicts its class is rejected, because the result would
 * differ from its author's intention.
 */
export function readWindows(config: ConfigReader, layerCount: number, rule: WindowRule = {}): number[] {
  // If a class has a window by default, null disables it.
  const isOn = (rule.isOn ?? config.has('sliding_window')) && !config.isNull('sliding_window');
  const window = isOn ? config.count(['sliding_window']) : 0;
  const slides = (layer: number) => isOn && (rule.slides?.(layer) ?? true);
  const types = config.words('layer_types');
  if (types && types.length !== layerCount) {
    throw config.contradiction(
      { key: 'num_hidden_layers', value: layerCount },
      { key: 'the length of layer_types', value: types.length },
    );
  }
  return Array.from({ length: layerCount }, (_, layer) => {
    const type = types?.[layer];
    const isSliding = type === undefined ? slides(layer) : typeSlides(config, type);
    const isPossible = isSliding === slides(layer) || (rule.followsTypes === true && (isOn || !isSliding));
    if (!isPossible) config.unsupported(`layer_types with "${type}" in layer ${layer}`, describeRule(window));
    return isSliding ? window : 0;
  });
}

/** Rejects sliding windows, for families without them. A window of 0 keys means none. */
export function refuseWindow(config: ConfigReader, layerCount: number): void {
  const [window = 0] = config.integers(['sliding_window']);
  if (window !== 0) config.unsupported(`sliding_window ${window}`, 'full attention');
  readWindows(config, layerCount, { isOn: false });
}

function typeSlides(config: ConfigReader, type: string): boolean {
  if (type === 'full_attention') return false;
  if (type === 'sliding_attention') return true;
  return config.unsupported(`layer type "${type}"`, 'full_attention and sliding_attention');
}

function describeRule(window: number): string {
  return window === 0
    ? 'full attention in every layer'
    : `its own choice of layers with a window of ${window}`;
}
