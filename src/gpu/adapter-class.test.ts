import { afterEach, expect, test, vi } from 'vitest';
import { adapterClass } from './adapter-class.ts';

const software = { isFallbackAdapter: true } as GPUAdapterInfo;
const hardware = { isFallbackAdapter: false } as GPUAdapterInfo;

afterEach(() => vi.unstubAllEnvs());

test('by default, the class is what the adapter reports', () => {
  vi.stubEnv('ATOMOE_ADAPTER', '');
  expect([software, hardware, undefined].map((info) => adapterClass(info))).toEqual([
    'software',
    'hardware',
    'hardware',
  ]);
});

test('ATOMOE_ADAPTER overrides the adapter, an option overrides both', () => {
  vi.stubEnv('ATOMOE_ADAPTER', 'hardware');
  expect(adapterClass(software)).toBe('hardware');
  expect(adapterClass(software, 'software')).toBe('software');
});

test('another value is rejected, and the message lists the valid ones', () => {
  vi.stubEnv('ATOMOE_ADAPTER', 'gpu');
  expect(() => adapterClass(software)).toThrow(/adapter class is "gpu"; wanted "hardware" or "software"/);
});
