import { afterEach, expect, test, vi } from 'vitest';
import { AtomoeError } from '../errors.ts';
import { findGpuEntry } from './entry.ts';

afterEach(() => vi.unstubAllGlobals());

/** The error in a page or worker with these globals. */
async function refusalWith(globals: Record<string, unknown>): Promise<AtomoeError> {
  for (const [name, value] of Object.entries({ process: undefined, navigator: {}, ...globals })) {
    vi.stubGlobal(name, value);
  }
  const found = findGpuEntry();
  vi.unstubAllGlobals(); // the test runner needs `process` again
  const error = await found.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AtomoeError);
  return error as AtomoeError;
}

test('Node finds Dawn, once', async () => {
  const entry = await findGpuEntry();
  expect(await findGpuEntry()).toBe(entry);
  expect(await entry.requestAdapter()).not.toBeNull();
});

test('a page or a runtime with built-in WebGPU uses it', async () => {
  const gpu = {};
  vi.stubGlobal('navigator', { gpu });
  expect(await findGpuEntry()).toBe(gpu);
});

test('without WebGPU, the message names browsers that have it', async () => {
  const { code, message } = await refusalWith({ isSecureContext: true });
  expect(code).toBe('no-webgpu');
  expect(message).toMatch(/no WebGPU; wanted navigator\.gpu; use Chrome .*device: 'cpu'/);
});

test('on an insecure page, the message names secure origins', async () => {
  const location = { origin: 'http://192.168.1.7:8080' };
  const { code, message } = await refusalWith({ isSecureContext: false, location });
  expect(code).toBe('no-webgpu');
  expect(message).toMatch(/http:\/\/192\.168\.1\.7:8080 is not one; wanted https:\/\/ or localhost; /);
});
