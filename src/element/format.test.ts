import { expect, test } from 'vitest';
import { describeProgress, formatBytes, formatPart } from './format.ts';

test.each([
  [0, '0 bytes'],
  [640, '640 bytes'],
  [999, '999 bytes'],
  [1000, '1.0 kB'],
  [9949, '9.9 kB'],
  [9951, '10 kB'],
  [17_125_200, '17 MB'],
  [999_499_999, '999 MB'],
  [999_500_000, '1.0 GB'],
  [4_480_000_000, '4.5 GB'],
])('%i bytes read %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('a download says bytes of bytes, rate and what is to come', () => {
  const progress = {
    kind: 'downloading',
    doneBytes: 6e6,
    totalBytes: 17e6,
    modelBytes: 17e6,
    file: 'm',
  } as const;
  expect(formatPart(6e6, 17e6)).toBe('6.0 MB of 17 MB');
  expect(describeProgress(progress, undefined)).toEqual({
    text: 'Downloading: 6.0 MB of 17 MB',
    fraction: 6 / 17,
  });
  expect(describeProgress(progress, 1.1e6).text).toBe('Downloading: 6.0 MB of 17 MB at 1.1 MB/s, 10 s to go');
  const large = { ...progress, totalBytes: 600e6, modelBytes: 600e6 };
  expect(describeProgress(large, 2e6).text).toContain(', 5 min to go');
  expect(describeProgress(progress, 0).text).toBe('Downloading: 6.0 MB of 17 MB; waiting for more');
  expect(describeProgress({ ...progress, doneBytes: 16e6 }, 1e6).text).toBe(
    'Downloading: 16 MB of 17 MB at 1.0 MB/s',
  );
  expect(describeProgress({ ...progress, doneBytes: 0, totalBytes: 0 }, undefined).fraction).toBeUndefined();
});

test('a download names one total, also where the first word needs less', () => {
  const progress = {
    kind: 'downloading',
    doneBytes: 3e6,
    totalBytes: 4.6e6,
    modelBytes: 17e6,
    file: 'm',
  } as const;
  const { text, fraction } = describeProgress(progress, undefined);
  expect(text).toBe('Downloading: 3.0 MB of 17 MB, 4.6 MB before the first word');
  expect(fraction).toBe(3 / 4.6);
});

test('shaders are counted, with their number where it is known', () => {
  const counting = { kind: 'compiling', donePipelines: 39, totalPipelines: 0 } as const;
  expect(describeProgress(counting, undefined)).toEqual({
    text: 'Compiling shaders: 39',
    fraction: undefined,
  });
  expect(describeProgress({ ...counting, totalPipelines: 78 }, undefined)).toEqual({
    text: 'Compiling shaders: 39 of 78',
    fraction: 0.5,
  });
});
