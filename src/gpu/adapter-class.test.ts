import { afterEach, expect, test, vi } from 'vitest';
import { adapterClass } from './adapter-class.ts';

const software = { isFallbackAdapter: true } as GPUAdapterInfo;
const hardware = { isFallbackAdapter: false } as GPUAdapterInfo;

afterEach(() => vi.unstubAllEnvs());

test('an adapter is what it says of itself', () => {
  vi.stubEnv('ATOMOE_ADAPTER', '');
  expect([software, hardware, undefined].map((info) => adapterClass(info))).toEqual([
    'software',
    'hardware',
    'hardware',
  ]);
});

test('ATOMOE_ADAPTER overrules the adapter, an option overrules both', () => {
  vi.stubEnv('ATOMOE_ADAPTER', 'hardware');
  expect(adapterClass(software)).toBe('hardware');
  expect(adapterClass(software, 'software')).toBe('software');
});

test('another word is refused with what it may be', () => {
  vi.stubEnv('ATOMOE_ADAPTER', 'gpu');
  expect(() => adapterClass(software)).toThrow(/adapter class is "gpu"; wanted "hardware" or "software"/);
});
