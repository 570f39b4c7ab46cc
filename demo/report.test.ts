/** The report: what is known is in it, what is not is left out, and no table is broken by a text. */
import { expect, test } from 'vitest';
import { FakeEngine } from '../src/element/fake-engine.ts';
import { reportMarkdown, reportSections, type ReportFacts } from './report.ts';

const NOTHING: ReportFacts = {
  version: '1.2.3',
  browser: 'Some | browser\n5',
  hasWebgpu: true,
  isIsolated: false,
  adapter: undefined,
  model: undefined,
  memory: undefined,
  streaming: undefined,
  reply: undefined,
  problem: undefined,
  dispatches: [],
};

test('before a model there is the page alone', () => {
  expect(reportSections(NOTHING).map(({ title }) => title)).toEqual(['Page']);
  expect(reportMarkdown(reportSections(NOTHING))).toBe(
    [
      '### Page',
      '',
      '| | |',
      '| --- | --- |',
      '| Atomoe | 1.2.3 |',
      '| Browser | Some \\| browser 5 |',
      '| WebGPU | yes |',
      '| Threads | no: the page is not isolated |',
      '',
    ].join('\n'),
  );
});

test('with a model there is what holds memory, how the reply went, and each kernel once, the slowest first', async () => {
  const engine = new FakeEngine();
  const model = await engine.load('m/');
  const sections = reportSections({
    ...NOTHING,
    adapter: engine.adapter,
    model,
    memory: engine.memory(),
    reply: {
      reason: 'stop',
      seed: 7,
      usage: { promptTokens: 4, reusedTokens: 0, completionTokens: 9 },
      timings: { prefillMs: 1, firstTokenMs: 12.34, decodeMs: 9, tokensPerSecond: 31.25 },
    },
    problem: { code: 'device-lost', message: 'It went away.', detail: '' },
    dispatches: [
      { label: 'rms-norm layer 0', kernel: 'rms-norm/f32', ms: 0.1 },
      { label: 'linear layer 0 q', kernel: 'linear/f32', ms: 0.25 },
      { label: 'rms-norm layer 1', kernel: 'rms-norm/f32', ms: 0.1 },
    ],
  });
  const rows = (title: string) => sections.find((section) => section.title === title)?.rows;
  expect(rows('Memory')).toContainEqual(['Experts', '16 MB']);
  expect(rows('Last reply')).toContainEqual(['First token', '12.3 ms']);
  expect(rows('Problem')).toEqual([
    ['Code', 'device-lost'],
    ['Message', 'It went away.'],
  ]);
  expect(rows('One token, by kernel')).toEqual([
    ['linear/f32', 'linear: 1 ×, 0.250 ms'],
    ['rms-norm/f32', 'rms-norm: 2 ×, 0.200 ms'],
  ]);
});

test('a device without a clock has kernels without times', () => {
  const dispatches = [{ label: 'linear head', kernel: 'linear/f32', ms: undefined }];
  expect(reportSections({ ...NOTHING, dispatches }).at(-1)?.rows).toEqual([['linear/f32', 'linear: 1 ×']]);
});
