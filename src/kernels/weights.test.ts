import { describe, expect, test } from 'vitest';
import { BUILT_IN_FORMATS } from '../weights/formats/index.ts';
import { atomicCombine } from './atomic/atomic-combine.ts';
import { atomicScores } from './atomic/atomic-scores.ts';
import { atomicScoresGrouped } from './atomic/atomic-scores-grouped.ts';
import { embedding } from './core/embedding.ts';
import { expertDown, expertDownPairs } from './experts/expert-down.ts';
import { expertGateUp } from './experts/expert-gate-up.ts';
import { expertDownTiled, expertGateUpTiled } from './experts/expert-tiled.ts';
import { linear } from './linear/linear.ts';
import { linearTiled } from './linear/linear-tiled.ts';
import { inFormat, listFormats } from './weights.ts';

const kernels = [
  linear,
  linearTiled,
  embedding,
  expertGateUp,
  expertDown,
  expertDownPairs,
  expertGateUpTiled,
  expertDownTiled,
  atomicScores,
  atomicScoresGrouped,
  atomicCombine,
].map(({ name, variants }) => [name, { variants }] as const);

/** The division of work in a variant: all properties except types, formats and bindings. */
const NO_SCHEDULE = new Set(['scalar', 'out', 'format', 'bias', 'biased', 'pools']);

function scheduleOf(variant: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(variant).filter(([name]) => !NO_SCHEDULE.has(name)));
}

describe.each(kernels)('%s', (_name, { variants }) => {
  test('lists each schedule with each format', () => {
    const schedules = new Set(variants.map(scheduleOf));
    const pairs = new Set(variants.map((variant) => `${variant.format} ${scheduleOf(variant)}`));
    expect(pairs.size).toBe(schedules.size * BUILT_IN_FORMATS.length);
  });

  test('its listed variants are variants that the engine can use', () => {
    for (const format of BUILT_IN_FORMATS) {
      const all = inFormat<{ readonly format: string }>({ variants }, format);
      expect(all).toEqual(expect.arrayContaining(variants.filter((variant) => variant.format === format)));
    }
  });
});

test('combined variants have f32 activations and cycle through the other properties', () => {
  const halves = { scalar: 'f16', pools: 1 } as const;
  const listed = listFormats([[halves, { scalar: 'f32', pools: 1 }, { scalar: 'f32', pools: 4 }]]);
  expect(listed.slice(0, 3).map(({ format, scalar }) => `${format} ${scalar}`)).toEqual([
    'f32 f16',
    'f32 f32',
    'f32 f32',
  ]);
  const pairs = listed.slice(3).map(({ format, pools }) => `${format} ${pools}`);
  const others = BUILT_IN_FORMATS.filter((format) => format !== 'f32');
  expect(pairs).toEqual(others.map((format, index) => `${format} ${index % 2 === 0 ? 1 : 4}`));
});
