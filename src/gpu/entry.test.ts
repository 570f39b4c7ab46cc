import { afterEach, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { findGpuEntry } from './entry.ts';

afterEach(() => vi.unstubAllGlobals());

/** What a page or worker with these globals would be told. */
async function refusalWith(globals: Record<string, unknown>): Promise<AtomoeError> {
  for (const [name, value] of Object.entries({ process: undefined, navigator: {}, ...globals })) {
    vi.stubGlobal(name, value);
  }
  const found = findGpuEntry();
  vi.unstubAllGlobals(); // the runner needs its process again
  const error = await found.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

test('Node finds Dawn by itself, once', async () => {
  const entry = await findGpuEntry();
  expect(await findGpuEntry()).toBe(entry);
  expect(await entry.requestAdapter()).not.toBeNull();
});

test('a page or a runtime with WebGPU of its own uses that', async () => {
  const gpu = {};
  vi.stubGlobal('navigator', { gpu });
  expect(await findGpuEntry()).toBe(gpu);
});

test('a browser without WebGPU: which browsers have it', async () => {
  const { code, message } = await refusalWith({ isSecureContext: true });
  expect(code).toBe('no-webgpu');
  expect(message).toMatch(/no WebGPU; wanted navigator\.gpu; use Chrome .*device: 'cpu'/);
});

test('an insecure page: what makes it secure', async () => {
  const location = { origin: 'http://192.168.1.7:8080' };
  const { code, message } = await refusalWith({ isSecureContext: false, location });
  expect(code).toBe('no-webgpu');
  expect(message).toMatch(/http:\/\/192\.168\.1\.7:8080 is not one; wanted https:\/\/ or localhost; /);
});
