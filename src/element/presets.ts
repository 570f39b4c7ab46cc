/** Choices of all settings that concern sampling at once. */
import type { ChatSettings } from './settings.ts';

type Sampling = Pick<ChatSettings, 'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty'>;

/** Choices of all that concerns sampling at once. `balanced` sets nothing: the page and the model decide. */
export const PRESETS: Readonly<Record<'precise' | 'balanced' | 'playful', Sampling>> = {
  precise: { temperature: 0.2, topP: 0.9 },
  balanced: {},
  playful: { temperature: 1.2, topP: 1, minP: 0.05 },
};

/** The name of a preset. */
export type PresetName = keyof typeof PRESETS;

/** Replaces what concerns sampling by a preset. */
export function withPreset(
  { systemPrompt, maxTokens, seed }: ChatSettings,
  preset: PresetName,
): ChatSettings {
  return {
    ...(systemPrompt === undefined ? {} : { systemPrompt }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(seed === undefined ? {} : { seed }),
    ...PRESETS[preset],
  };
}

/** The preset that the settings are; undefined where they are none. */
export function presetOf(settings: ChatSettings): PresetName | undefined {
  const names = Object.keys(PRESETS) as PresetName[];
  const sampling = ['temperature', 'topP', 'topK', 'minP', 'repetitionPenalty'] as const;
  return names.find((name) => sampling.every((each) => PRESETS[name][each] === settings[each]));
}
