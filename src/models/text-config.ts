import type { ConfigValues } from './config.ts';

/** Keys of a whole model that also hold for its text model. */
const SHARED = ['quantization_config', 'tie_word_embeddings', 'bos_token_id', 'eos_token_id', 'pad_token_id'];

/**
 * The config of the text model in the config of a model that also reads images or sound, which has it as `text_config`;
 * undefined where there is none. What concerns the whole model is added where the section lacks it.
 */
export function textConfig(config: ConfigValues): ConfigValues | undefined {
  const section = config['text_config'];
  const isSection = typeof section === 'object' && section !== null && !Array.isArray(section);
  if (!isSection) return undefined;
  const shared = SHARED.filter((key) => key in config).map((key) => [key, config[key]]);
  return { ...Object.fromEntries(shared), ...(section as ConfigValues) };
}
