import type { RopeScaling } from '../../kernels/attention/rope-angles.ts';
import { ConfigReader, type ConfigValues } from '../config.ts';
import type { RopeSpec } from '../spec.ts';

/** What a family's class does with the keys of rotary positions. */
export interface RopeRule {
  readonly style?: RopeSpec['style']; // default: half
  /** Whether the class rotates only a part of each head, by `partial_rotary_factor` or `rotary_dim`. */
  readonly partial?: boolean;
  /** Whether `dynamic` with `alpha` means theta * alpha^(headDim / (headDim - 2)), as in Hunyuan. */
  readonly ntkAlpha?: boolean;
  /** Scalings that only this class has, by `rope_type`. */
  readonly scalings?: ReadonlyMap<string, ScalingOfClass>;
  /** The key of the section within `rope_parameters`, of classes with one for each type of layers. */
  readonly layerType?: string;
  /** The key of the size of a head's part with positions, in latent attention. */
  readonly headDimKey?: string;
  /** The section of the class, for configs without one. */
  readonly fallback?: ConfigValues;
}

/** A scaling of rotary positions that one class has. */
export interface ScalingOfClass {
  readonly keys: readonly string[]; // beside those that all sections may have
  /** Whether `partial_rotary_factor` belongs to the scaling, and whole heads are in the table. */
  readonly readsFactor?: true;
  /** `pairs`: half of the rotated elements of a head. */
  readonly read: (section: ConfigReader, config: ConfigReader, pairs: number) => RopeScaling;
}

/** Keys of a rope section that do not belong to a scaling. */
const COMMON = [
  'rope_type',
  'type',
  'rope_theta',
  'partial_rotary_factor',
  'original_max_position_embeddings',
  'max_position_embeddings',
];

/** Further keys of the supported scalings. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  default: [],
  linear: ['factor'],
  factors: ['factors'], // of GGUF files
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor'],
  yarn: ['factor', 'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate'],
  dynamic: ['alpha', 'factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim'],
};

/** What a rope section requires. */
interface Section {
  readonly scaling: RopeScaling | undefined;
  readonly alpha: number; // 1: theta unchanged
}

/**
 * Reads the rotary positions of a model: in `rope_parameters` (transformers 5), `rope_scaling` (4), or keys of their own. All
 * that are present must agree.
 *
 * @throws {AtomoeError} unsupported-model - a scaling, or a part of each head, that the family does not support; bad-file -
 *   contradictory or invalid values
 */
export function readRope(config: ConfigReader, headDim: number, rule: RopeRule = {}): RopeSpec {
  const given = ['rope_parameters', 'rope_scaling']
    .map((key) =>
      rule.layerType === undefined ? config.section(key) : config.section(key).section(rule.layerType),
    )
    .filter((section) => section.keys().length > 0);
  if (given.length === 0 && rule.fallback) given.push(new ConfigReader(rule.fallback, 'the class'));
  const isWhole = given.some((section) => rule.scalings?.get(kindOf(section))?.readsFactor);
  const rotaryDim = isWhole ? headDim : readRotaryDim(config, given, headDim, rule);
  const [first, other] = given.map((section) => readSection(section, config, { ...rule, rotaryDim }));
  if (first && other && JSON.stringify(first) !== JSON.stringify(other)) {
    throw config.contradiction(
      { key: 'rope_parameters', value: first },
      { key: 'rope_scaling', value: other },
    );
  }
  const { scaling, alpha = 1 } = first ?? {};
  const theta = agreed(config, 'rope_theta', [...given, config]) ?? config.positive(['rope_theta']);
  return {
    theta: alpha === 1 ? theta : theta * alpha ** (headDim / (headDim - 2)),
    rotaryDim,
    style: rule.style ?? 'half',
    ...(scaling ? { scaling } : {}),
  };
}

/** The value of a number in those readers that have it; undefined if none has. */
export function agreed(
  config: ConfigReader,
  key: string,
  readers: readonly ConfigReader[],
): number | undefined {
  const values = new Set(readers.filter((reader) => reader.has(key)).map((reader) => reader.positive([key])));
  const [first, other] = values;
  if (first !== undefined && other !== undefined) {
    throw config.contradiction({ key, value: first }, { key: 'another', value: other });
  }
  return first;
}

function readRotaryDim(
  config: ConfigReader,
  sections: readonly ConfigReader[],
  headDim: number,
  { partial = false }: RopeRule,
): number {
  const readers = [...sections, config];
  const key = 'partial_rotary_factor';
  if (!partial) {
    const factor = agreed(config, key, readers) ?? 1;
    if (factor !== 1) config.unsupported(`${key} ${factor}`, 'whole heads rotated');
    return headDim;
  }
  const given = config.integers(['rotary_dim'])[0];
  const factor = agreed(config, key, readers) ?? (given ?? headDim * config.positive([key], 1)) / headDim;
  const rotaryDim = Math.floor(headDim * factor);
  if (given !== undefined && given !== rotaryDim) {
    throw config.contradiction({ key: 'rotary_dim', value: given }, { key, value: factor });
  }
  if (rotaryDim % 2 === 0 && rotaryDim > 0 && rotaryDim <= headDim) return rotaryDim;
  return config.unsupported(`${rotaryDim} rotated elements of ${headDim}`, 'an even number of them');
}

function readSection(
  section: ConfigReader,
  config: ConfigReader,
  rule: RopeRule & { readonly rotaryDim: number },
): Section {
  const { ntkAlpha = false, rotaryDim } = rule;
  const kind = kindOf(section);
  const ofClass = rule.scalings?.get(kind);
  const usual = Object.hasOwn(KEYS, kind) && (kind !== 'dynamic' || ntkAlpha) ? KEYS[kind] : undefined;
  const own = ofClass?.keys ?? usual;
  if (!own) section.unsupported(`rope scaling "${kind}"`, 'default, linear, llama3 or yarn rotary positions');
  const unknown = section.keys().find((key) => !COMMON.includes(key) && !own.includes(key));
  if (unknown !== undefined) section.unsupported(`rope scaling by ${unknown}`, 'default rotary positions');
  if (kind === 'dynamic') return { scaling: undefined, alpha: section.positive(['alpha']) };
  if (kind === 'factors') return { scaling: readFactors(section, rotaryDim), alpha: 1 };
  if (ofClass) return { scaling: ofClass.read(section, config, rotaryDim / 2), alpha: 1 };
  return { scaling: readScaling(kind, section, config), alpha: 1 };
}

function kindOf(section: ConfigReader): string {
  return section.text(['rope_type', 'type'], 'default');
}

/** One divisor for each pair. */
function readFactors(section: ConfigReader, rotaryDim: number): RopeScaling {
  const factors = section.list('factors') ?? [];
  const arePositive = factors.every((factor): factor is number => typeof factor === 'number' && factor > 0);
  if (arePositive && factors.length === rotaryDim / 2) return { kind: 'factors', factors };
  return section.unsupported(`${factors.length} rope factors`, `${rotaryDim / 2} positive ones`);
}

function readScaling(kind: string, section: ConfigReader, config: ConfigReader): RopeScaling | undefined {
  if (kind === 'linear') return { kind, factor: section.positive(['factor']) };
  if (kind === 'llama3') {
    return {
      kind,
      factor: section.positive(['factor']),
      lowFrequencyFactor: section.positive(['low_freq_factor']),
      highFrequencyFactor: section.positive(['high_freq_factor']),
      originalPositions: section.count(['original_max_position_embeddings']),
    };
  }
  return kind === 'yarn' ? readYarn(section, config) : undefined;
}

/** YaRN with the defaults of transformers. */
function readYarn(section: ConfigReader, config: ConfigReader): RopeScaling {
  const factor = section.positive(['factor']);
  const key = 'original_max_position_embeddings';
  const mscale = section.number(['mscale'], 0);
  const mscaleAllDim = section.number(['mscale_all_dim'], 0);
  const byScales = mscale !== 0 && mscaleAllDim !== 0;
  const amplitude = byScales
    ? yarnAmplitude(factor, mscale) / yarnAmplitude(factor, mscaleAllDim)
    : yarnAmplitude(factor);
  return {
    kind: 'yarn',
    factor,
    originalPositions: agreed(config, key, [section, config]) ?? config.count(['max_position_embeddings']),
    betaFast: section.positive(['beta_fast'], 32),
    betaSlow: section.positive(['beta_slow'], 1),
    truncate: section.boolean(['truncate'], true),
    amplitude: section.positive(['attention_factor'], amplitude),
  };
}

/** The factor of YaRN on cos and sin that keeps the entropy of attention: 0.1 scale ln(factor) + 1. */
export function yarnAmplitude(factor: number, scale = 1): number {
  return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
}
