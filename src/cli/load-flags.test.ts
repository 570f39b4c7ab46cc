import { describe, expect, test } from 'vitest';
import { readLoadOptions } from '../engine/options.ts';
import { Arguments } from './arguments.ts';
import { loadOptions, MODEL_FLAGS, STREAM_FLAGS } from './load-flags.ts';

const FLAGS = { ...MODEL_FLAGS, ...STREAM_FLAGS };
const read = (...line: string[]) => loadOptions(Arguments.parse(line, [], FLAGS));

describe('flags that set options of load', () => {
  test.each([
    ['--context 128', { contextTokens: 128 }],
    ['--quantize q4_0', { quantize: 'q4_0' }],
    ['--expert-bits 3', { expertBits: 3 }],
    ['--budget 2GB', { memoryBudget: 2e9 }],
    ['--slots 4', { streaming: { slotsPerLayer: 4 } }],
    ['--policy lru', { streaming: { policy: 'lru' } }],
    ['--lookahead 0', { streaming: { lookahead: 0 } }],
    ['--run-ahead auto', { streaming: { runAhead: 'auto' } }],
    ['--run-ahead 3', { streaming: { runAhead: 3 } }],
    ['--start-now', { streaming: { start: 'now' } }],
    [
      '--slots 4 --start-now --budget 1MB',
      { memoryBudget: 1e6, streaming: { slotsPerLayer: 4, start: 'now' } },
    ],
    ['', {}],
  ])('%s', (line, wanted) => {
    const options = read(...line.split(' ').filter(Boolean));
    expect(options).toEqual(wanted);
    expect(readLoadOptions(options)).toEqual(wanted); // the engine knows each of them
  });

  test('every flag has a case above', () => {
    expect(Object.keys(FLAGS)).toEqual([
      'context',
      'quantize',
      'expert-bits',
      'budget',
      'slots',
      'policy',
      'lookahead',
      'run-ahead',
      'start-now',
    ]);
  });
});
