import { AtomoeError } from '../errors.ts';
import { CLASS_DEFAULTS } from './class-defaults.ts';
import { ConfigReader, type ConfigValues } from './config.ts';
import type { ConfigFamily } from './family.ts';
import type { FileTensors } from './file-tensors.ts';
import { graniteMoe } from './families/granite-moe.ts';
import { mixtral } from './families/mixtral.ts';
import { olmoe } from './families/olmoe.ts';
import { omnimoe } from './families/omnimoe.ts';
import { peer } from './families/peer.ts';
import { qwen2Moe } from './families/qwen2-moe.ts';
import { qwen3Moe } from './families/qwen3-moe.ts';
import { refuseQuantized } from './quantization.ts';
import type { ModelSpec } from './spec.ts';

/** The families that come with the engine. A new one is added here, or handed to the engine from outside. */
export const FAMILIES: readonly ConfigFamily[] = [
  omnimoe,
  qwen3Moe,
  olmoe,
  mixtral,
  qwen2Moe,
  graniteMoe,
  peer,
];

/**
 * Finds the family of a config. Looks at nothing but the config, so it can be asked before any weight file is.
 *
 * @throws {AtomoeError} unsupported-model - no family knows the `model_type`, or the weights are quantised; bad-file -
 *   there is no `model_type`
 */
export function findFamily<F extends ConfigFamily>(
  config: ConfigValues,
  label: string,
  extra: readonly F[] = [],
): F | ConfigFamily {
  const type = new ConfigReader(config, `${label} config.json`).text(['model_type']);
  const families = [...extra, ...FAMILIES];
  const family = families.find(({ modelTypes }) => modelTypes.includes(type));
  if (!family) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: model_type "${type}" is no family that Atomoe knows (${families.flatMap(({ modelTypes }) => modelTypes).join(', ')}); ` +
        'choose a model of one of these families',
    );
  }
  refuseQuantized(config, label);
  return family;
}

/**
 * Finds the family of a config and parses it.
 *
 * @param file - whose names and layers the spec is to have; default: the usual names, and the config's layers
 * @throws {AtomoeError} unsupported-model - no family knows the model, or it does not run it so; bad-file - a key is
 *   missing or wrong, or does not fit the file
 */
export function parseModel<F extends ConfigFamily>(
  config: ConfigValues,
  label: string,
  extra: readonly F[] = [],
  file?: FileTensors,
): { readonly family: F | ConfigFamily; readonly spec: ModelSpec } {
  const family = findFamily(config, label, extra);
  // What comes from outside may share a name with a class, but not its defaults.
  const isOwn = extra.some((known) => known === family);
  const defaults = isOwn ? {} : CLASS_DEFAULTS.get(String(config['model_type']));
  const reader = new ConfigReader(config, `${label} config.json`, defaults);
  const spec = family.parse(reader, file);
  if (!isOwn) reader.refuseUnread(CHANGING);
  return { family, spec };
}

/** Keys by which configs of some classes change what is computed, and what each says where it changes nothing. */
const CHANGING: Readonly<Record<string, readonly unknown[]>> = {
  final_logit_softcapping: [],
  attn_logit_softcapping: [],
  query_pre_attn_scalar: [],
  logit_scale: [1],
  logits_scaling: [1],
  embedding_multiplier: [1],
  residual_multiplier: [1],
  attention_multiplier: [],
  clip_qkv: [],
  alibi: [false],
};
