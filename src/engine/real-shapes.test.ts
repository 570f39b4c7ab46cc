/** What models of real sizes ask of a device, from their headers. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type AdapterFacts } from '../gpu/device.ts';
import type { LoadOptions } from './api.ts';
import { plainStep, type Graph, type Step } from '../graph/node.ts';
import { MAX_MULTIPLY_ADDS } from '../graph/pieces.ts';
import { lower } from '../graph/plan.ts';
import { buildGraph } from '../blocks/family.ts';
import { draftHeaders } from './headers-only.testing.ts';
import { sizeModel, weightFacts } from './load/planning.ts';
import { publishedConfig } from './published-models.testing.ts';

const MIB = 2 ** 20;

/** A GPU that allows no more than any must. */
const portable: AdapterFacts = {
  name: 'portable',
  adapterClass: 'hardware',
  features: new Set(['subgroups']),
  limits: DEFAULT_LIMITS,
};

/** Few layers show what many do. */
const twoLayers = (name: string) => ({ ...publishedConfig(name), num_hidden_layers: 2 });

describe('a vocabulary of 151,936 x 2048 on the portable limits', () => {
  test.each([undefined, 'q8_0', 'q4_0'] as const)(
    'fits in 128 MiB bindings, quantize %s',
    async (quantize) => {
      const options: LoadOptions = { memoryBudget: 64 * 2 ** 30, ...(quantize ? { quantize } : {}) };
      const drafted = await draftHeaders(twoLayers('Qwen3-30B-A3B'), options);
      const { plan, limits } = sizeModel(drafted, portable, options);
      expect(plan).toMatchObject({ fits: true, why: '' });
      expect(limits.maxBindingBytes).toBeLessThanOrEqual(128 * MIB);
      expect(limits.maxBufferSizeBytes).toBeLessThanOrEqual(256 * MIB);
      const perWeight = { none: 2, q8_0: 34 / 32, q4_0: 18 / 32 }[quantize ?? 'none'];
      expect(plan.bytes.dense).toBeGreaterThan(2 * 151_936 * 2048 * perWeight); // embedding and head
    },
  );
});

describe('long dispatches are cut', () => {
  const contextTokens = 32_768;
  const chunk = 256;
  const steps: Step[] = [1, 20, chunk].flatMap((tokens) =>
    [0, contextTokens - chunk].map((past) => plainStep(tokens, past)),
  );

  test.each(['Qwen3-30B-A3B', 'Mixtral-8x7B'])(
    '%s: no dispatch takes more multiply-adds than the bound',
    async (name) => {
      const options: LoadOptions = { contextTokens, quantize: 'q4_0' };
      const drafted = await draftHeaders(twoLayers(name), options);
      const purpose = { contextTokens, sample: false } as const;
      const graphs: Graph[] = [drafted.prefill, buildGraph(drafted, { ...purpose, logits: 'all' })];
      for (const adapterClass of ['hardware', 'software'] as const) {
        const adapter = { ...portable, adapterClass };
        const facts = weightFacts(drafted, DEFAULT_LIMITS, {});
        const worksOf = (graph: Graph, step: Step, mostMultiplyAdds?: number) => {
          const common = {
            label: 'test',
            maxTokens: chunk,
            contextTokens,
            scalar: 'f32',
            tuning: new Map(),
          } as const;
          const bound = mostMultiplyAdds === undefined ? {} : { mostMultiplyAdds };
          return lower(adapter, graph, facts, { ...common, ...bound })
            .dispatches.filter(({ isNeeded }) => isNeeded?.(step) ?? true)
            .map(({ work }) => work?.(step) ?? 0);
        };
        const sum = (list: readonly number[]) => list.reduce((total, work) => total + work, 0);
        for (const graph of graphs) {
          for (const step of steps) {
            const cut = worksOf(graph, step);
            expect(Math.max(...cut)).toBeLessThanOrEqual(MAX_MULTIPLY_ADDS);
            const whole = worksOf(graph, step, Infinity);
            expect(sum(cut)).toBe(sum(whole));
            // A device that has proved quick gets the dispatches whole again.
            expect(worksOf(graph, { ...step, mostMultiplyAdds: Infinity })).toEqual(whole);
          }
        }
        const longest = Math.max(...worksOf(graphs[1]!, plainStep(chunk, contextTokens - chunk), Infinity));
        expect(longest).toBeGreaterThan(4 * MAX_MULTIPLY_ADDS);
      }
    },
  );
});
