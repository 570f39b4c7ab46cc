/**
 * What every fixture model becomes on its way to the GPU, as text: spec, weights, records, and each dispatch with its
 * kernel, buffers, parameters and workgroups. A change that is meant to change nothing leaves these files as they are;
 * `npx vitest run --project unit lowering.golden -u` writes them again, and the difference is for the reviewer.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type AdapterFacts } from '../gpu/device.ts';
import { shareBuffers } from '../graph/liveness.ts';
import { plainStep, type Dispatch, type Graph, type Step } from '../graph/node.ts';
import { lower, type WeightFacts } from '../graph/plan.ts';
import type { Ref, Tensor } from '../graph/tensor.ts';
import { nodeFolder } from '../io/node-file.ts';
import type { LoadOptions } from './api.ts';
import { draftModel, weightFacts, type Drafted } from './load/planning.ts';

const CONTEXT_TOKENS = 128; // what the smallest fixture takes

const FOLDERS: [name: string, path: string, options: LoadOptions][] = [
  ...['fixtures/models', 'demo/public/models'].flatMap((parent) =>
    readdirSync(parent).map((name): [string, string, LoadOptions] => [name, `${parent}/${name}`, {}]),
  ),
  ['qwen2_moe-q4_0', 'fixtures/models/qwen2_moe', { quantize: 'q4_0' }],
  ['fable-omni-8m-q8_0', 'demo/public/models/fable-omni-8m', { quantize: 'q8_0' }],
];

const ADAPTERS: readonly AdapterFacts[] = [
  { name: 'software', adapterClass: 'software', features: new Set(['subgroups']), limits: DEFAULT_LIMITS },
  { name: 'hardware', adapterClass: 'hardware', features: new Set(['subgroups']), limits: DEFAULT_LIMITS },
];

describe.each(FOLDERS)('%s', (name, path, options) => {
  const drafted = nodeFolder(path).then((folder) =>
    draftModel(folder, { ...options, contextTokens: CONTEXT_TOKENS }),
  );

  test('spec', async () => {
    await expect(specText(await drafted)).toMatchFileSnapshot(`../../fixtures/golden/${name}.spec.txt`);
  });

  test.each(ADAPTERS)('plan and dispatches on $name', async (adapter) => {
    const text = loweredText(await drafted, adapter);
    await expect(text).toMatchFileSnapshot(`../../fixtures/golden/${name}.${adapter.name}.txt`);
  });
});

function specText({ spec }: Drafted): string {
  return `${JSON.stringify(spec, undefined, 1)}\n`;
}

function loweredText(drafted: Drafted, adapter: AdapterFacts): string {
  const { decode, prefill, chunkTokens } = drafted;
  const facts = weightFacts(drafted, DEFAULT_LIMITS, {});
  const lines = [
    ...weightLines(drafted, facts),
    ...graphLines('decode', decode, {
      facts,
      adapter,
      maxTokens: 1,
      steps: [plainStep(1, 0), plainStep(1, 100)],
    }),
    ...graphLines('prefill', prefill, {
      facts,
      adapter,
      maxTokens: chunkTokens,
      steps: [plainStep(3, 0), plainStep(64, 50)],
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function weightLines({ decode, experts }: Drafted, facts: WeightFacts): string[] {
  const weights = decode.weights.map((weight) => {
    const parts = facts
      .weight(weight)
      .parts.map((part) => `${part.format} ${part.firstRow}+${part.rows} scales ${part.scalesWords}`);
    return `weight ${weight.name} [${weight.rows}, ${weight.cols}] ${parts.join(', ')}`;
  });
  if (!experts) return weights;
  const { layers, unitsPerLayer, expertSizeBytes } = experts;
  const layout = experts.layout(0);
  const parts = Object.entries(layout.parts).map(
    ([part, { rows, cols, offsetBytes }]) => `  ${part} [${rows}, ${cols}] at ${offsetBytes}`,
  );
  return [
    ...weights,
    `records ${layers} x ${unitsPerLayer} of ${layout.sizeBytes} bytes, ${expertSizeBytes} an expert`,
    ...parts,
  ];
}

interface Lowering {
  readonly facts: WeightFacts;
  readonly adapter: AdapterFacts;
  readonly maxTokens: number;
  readonly steps: readonly Step[];
}

function graphLines(label: string, graph: Graph, { facts, adapter, maxTokens, steps }: Lowering): string[] {
  const common = {
    label,
    maxTokens,
    contextTokens: CONTEXT_TOKENS,
    scalar: 'f32',
    tuning: new Map(),
  } as const;
  const { dispatches, labels, choices } = lower(adapter, graph, facts, common);
  const buffers = shareBuffers(dispatches, maxTokens, 'f32', { keepCuts: maxTokens === 1 });
  return [
    '',
    `# ${label}: ${dispatches.length} dispatches, at most ${maxTokens} tokens`,
    ...dispatches.flatMap((dispatch, index) => dispatchLines(labels[index] ?? '', dispatch, steps)),
    ...buffers.map(
      ({ sizeBytes, isIndirect, tensors }) =>
        `buffer ${sizeBytes}${isIndirect ? ' indirect' : ''}: ${tensors.map(tensorText).join(', ')}`,
    ),
    ...choices.map(({ key, candidates }) => `choice ${key}: ${candidates.join(' | ')}`),
  ];
}

function dispatchLines(label: string, dispatch: Dispatch, steps: readonly Step[]): string[] {
  const { program, buffers, records } = dispatch;
  const bound = Object.entries(buffers).map(([name, ref]) => `${name}=${refText(ref)}`);
  const wave = records ? ` records ${records.bank}${records.inWaves ? ' in waves' : ''}` : '';
  return [
    `${label}: ${program.key}${wave}`,
    `  ${bound.join('; ')}`,
    ...steps.map((step) => `  ${step.tokens}@${step.past} ${stepText(dispatch, step)}`),
  ];
}

function stepText(dispatch: Dispatch, step: Step): string {
  if (!(dispatch.isNeeded?.(step) ?? true)) return 'not needed';
  const grid = dispatch.grid(step);
  const groups = 'indirect' in grid ? `as ${grid.indirect.name}` : grid.join('x');
  const params = dispatch.params(step);
  // In the order of the kernel's record, which is that of the uniform's bytes.
  const values = Object.keys(dispatch.program.params).map((name) => `${name}=${params[name]}`);
  return `${groups} ${values.join(' ')}`;
}

function refText(ref: Ref): string {
  if (ref.kind === 'part') return `${ref.weight.name} part ${ref.part}`;
  return ref.kind === 'buffer' ? ref.buffer.label : ref.name;
}

function tensorText({ name, type, perToken, fixed }: Tensor): string {
  return `${name} ${type} ${perToken}t+${fixed}`;
}
