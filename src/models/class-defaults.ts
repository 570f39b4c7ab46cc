/**
 * Defaults of transformers' config classes for keys that are absent from config.json, as in files of other tools and older
 * files: each family has its own (`BuiltInFamily.defaults`). From transformers 5.18.0, `configuration_*.py`. Ids of special
 * tokens are not included: they come from files.
 */
import type { ConfigValues } from './config.ts';

/** The defaults that many classes share. */
export const USUAL_DEFAULTS: ConfigValues = {
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  attention_bias: false,
};
