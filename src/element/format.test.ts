import { expect, test } from 'vitest';
import { LOAD_BEGUN, type LoadStatus } from '../engine/load/load-status.ts';
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

const LOAD: LoadStatus = {
  ...LOAD_BEGUN,
  phase: 'downloading',
  doneBytes: 6e6,
  totalBytes: 17e6,
  modelBytes: 17e6,
  fraction: 0.3,
};
const textOf = (status: Partial<LoadStatus>): string => describeProgress({ ...LOAD, ...status }).text;

test('a download says bytes of bytes, rate and what is to come', () => {
  expect(formatPart(6e6, 17e6)).toBe('6.0 MB of 17 MB');
  expect(describeProgress(LOAD)).toEqual({ text: 'Downloading: 6.0 MB of 17 MB', fraction: 0.3 });
  const pace = { bytesPerSecond: 1.1e6, secondsLeft: 10 };
  expect(textOf(pace)).toBe('Downloading: 6.0 MB of 17 MB at 1.1 MB/s, about 10 seconds of it left');
  expect(textOf({ bytesPerSecond: 1.1e6 })).toBe('Downloading: 6.0 MB of 17 MB at 1.1 MB/s');
  expect(textOf({ bytesPerSecond: 0 })).toBe('Downloading: 6.0 MB of 17 MB; waiting for more');
  expect(textOf({ ...pace, secondsLeft: 1 })).toBe('Downloading: 6.0 MB of 17 MB at 1.1 MB/s');
  expect(textOf({ ...pace, doneBytes: 17e6 })).toBe('Downloading: 17 MB of 17 MB');
});

test.each([
  [3, 'a few seconds'],
  [8, 'about 10 seconds'],
  [21.7, 'about 20 seconds'],
  [52, 'about 50 seconds'],
  [55, 'about a minute'],
  [89, 'about a minute'],
  [301, 'about 5 minutes'],
  [3400, 'about an hour'],
  [7000, 'about 2 hours'],
])('%d seconds are %s', (secondsLeft, words) => {
  expect(textOf({ bytesPerSecond: 1e6, secondsLeft })).toContain(`, ${words} of it left`);
});

test('a download names one total, also where the first word needs less', () => {
  expect(textOf({ doneBytes: 3e6, totalBytes: 4.6e6 })).toBe(
    'Downloading: 3.0 MB of 17 MB, 4.6 MB before the first word',
  );
});

test('shaders are counted, with their number where it is known', () => {
  expect(textOf({ phase: 'compiling', doneSteps: 39, totalSteps: 0 })).toBe('Compiling shaders: 39');
  expect(textOf({ phase: 'compiling', doneSteps: 39, totalSteps: 78 })).toBe('Compiling shaders: 39 of 78');
});
