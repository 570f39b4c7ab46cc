import { describe, expect, test } from 'vitest';
import { OPTION_RANGES } from '../engine/options.ts';
import { readFeatures } from './features.ts';
import { presetOf, withPreset } from './presets.ts';
import { NUMBER_SETTINGS, optionsOf, readSettings } from './settings.ts';

describe('settings', () => {
  test('have the ranges of the engine', () => {
    for (const [name, { least, most }] of Object.entries(OPTION_RANGES)) {
      expect(
        NUMBER_SETTINGS.find((each) => each.name === name),
        name,
      ).toMatchObject({ least, most });
    }
  });

  test('what is no setting, or out of its range, is dropped', () => {
    expect(readSettings(undefined)).toEqual({});
    expect(
      readSettings({ topP: 2, topK: 1.5, seed: '7', temperature: NaN, systemPrompt: ' ', other: 1 }),
    ).toEqual({});
    const all = { systemPrompt: 'Be brief.', temperature: 0, topP: 1, topK: 40, minP: 0, seed: 7 };
    expect(readSettings(all)).toEqual(all);
  });

  test('a preset replaces sampling and nothing else', () => {
    const settings = { systemPrompt: 'Be brief.', temperature: 0.5, topK: 3, seed: 7, maxTokens: 9 };
    expect(presetOf(settings)).toBeUndefined();
    const precise = withPreset(settings, 'precise');
    expect(precise).toEqual({
      systemPrompt: 'Be brief.',
      seed: 7,
      maxTokens: 9,
      temperature: 0.2,
      topP: 0.9,
    });
    expect(presetOf(precise)).toBe('precise');
    expect(presetOf(withPreset(precise, 'balanced'))).toBe('balanced');
    expect(presetOf({})).toBe('balanced');
  });

  test('settings come before the page, and another version before the seed of the page', () => {
    const page = { temperature: 0, seed: 3, maxTokens: 20 };
    expect(optionsOf({ temperature: 1, systemPrompt: 'x' }, page)).toEqual({
      temperature: 1,
      seed: 3,
      maxTokens: 20,
    });
    expect(optionsOf({}, page, true)).toEqual({ temperature: 0, maxTokens: 20 });
    expect(optionsOf({ seed: 9 }, page, true)).toEqual({ temperature: 0, maxTokens: 20, seed: 9 });
  });
});

describe('features', () => {
  test('by default what takes no room and keeps nothing', () => {
    const usual = readFeatures(null, false);
    expect([...usual]).toEqual(['copy', 'regenerate', 'continue', 'edit', 'delete', 'figures', 'markdown']);
    expect(readFeatures(null, true).has('history')).toBe(true);
  });

  test('by name; history is an attribute of its own', () => {
    expect([...readFeatures(' Edit  copy nonsense', false)]).toEqual(['copy', 'edit']);
    expect([...readFeatures('', false)]).toEqual([]);
    expect(readFeatures('all', false).has('settings')).toBe(true);
    expect(readFeatures('all', false).has('history')).toBe(false);
    expect(readFeatures('all history', false).has('history')).toBe(false);
  });
});
