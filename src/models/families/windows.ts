import type { ConfigReader } from '../config.ts';

/** What a family does with `sliding_window` and `layer_types`. */
export interface WindowRule {
  /** Whether the config switches the window on. Default: where `sliding_window` is given. */
  readonly isOn?: boolean;
  /** Layers that slide where `layer_types` says nothing. Default: all. */
  readonly slides?: (layer: number) => boolean;
  /** Whether the family does as `layer_types` says; else it may only say what happens anyhow. */
  readonly followsTypes?: boolean;
}

/**
 * How many keys each layer's queries see; 0: all. A config that asks for what its class would not do is refused: its
 * author means something else than would be computed.
 */
export function readWindows(config: ConfigReader, layerCount: number, rule: WindowRule = {}): number[] {
  // Where a class has a window by default, null is what says that there is none.
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

/** For families without sliding layers. A window of 0 keys means none. */
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
