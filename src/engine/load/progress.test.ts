import { expect, test } from 'vitest';
import { nodeFolder } from '../../io/node-file.ts';
import type { LoadOptions, LoadProgress } from '../api.ts';
import { LocalEngine } from '../index.ts';

/** The download's reports, in their order. */
async function reports(options: LoadOptions): Promise<Extract<LoadProgress, { kind: 'downloading' }>[]> {
  const heard: Extract<LoadProgress, { kind: 'downloading' }>[] = [];
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  try {
    await engine.load(await nodeFolder('fixtures/models/olmoe'), {
      ...options,
      onProgress: (progress) => void (progress.kind === 'downloading' && heard.push(progress)),
    });
  } finally {
    engine.dispose();
  }
  return heard;
}

test.each([{}, { quantize: 'q8_0' }, { quantize: 'q4_0' }] as LoadOptions[])(
  '%o: bytes are those of the files, up to all of them',
  async (options) => {
    const heard = await reports(options);
    const last = heard.at(-1);
    expect(last?.totalBytes).toBeGreaterThan(10_000);
    expect(last?.doneBytes).toBeGreaterThan(0.93 * (last?.totalBytes ?? 0));
    expect(last?.doneBytes).toBeLessThanOrEqual(last?.totalBytes ?? 0);
    for (const [index, { doneBytes }] of heard.entries())
      expect(doneBytes).toBeGreaterThanOrEqual(heard[index - 1]?.doneBytes ?? 0);
  },
);

test('experts that come later count as bytes of the files, too', async () => {
  const [whole, streamed] = [
    await reports({ quantize: 'q8_0' }),
    await reports({ quantize: 'q8_0', streaming: { slotsPerLayer: 4 } }),
  ];
  const [all, first] = [whole.at(-1)?.totalBytes ?? 0, streamed.at(-1)?.totalBytes ?? 0];
  expect(first).toBeGreaterThan(0.05 * all);
  expect(first).toBeLessThan(0.9 * all);
});
