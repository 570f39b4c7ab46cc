import type { Engine } from './api.ts';
import { LocalEngine, type EngineOptions } from './engine.ts';
import { loadPart, readEngineOptions } from './options.ts';

export type * from './api.ts';
export { SLOT_STATES } from './api.ts';
export * from './hub.ts';
export { LocalEngine, type EngineOptions } from './engine.ts';
export type { TuningMode, TuningStore } from './load/tuning.ts';

/**
 * Opens an engine, and loads a model where one is named.
 *
 * @example
 * const engine = await createEngine({ model: '/models/fable-omni-8m/' });
 * for await (const event of engine.session().generate('Once upon a time')) {
 *   if (event.kind === 'token') show(event.text);
 * }
 *
 * @throws {AtomoeError} bad-input - an unknown or a wrong option, before anything else; no-webgpu - the browser or the driver has none; all that `load` throws
 */
export async function createEngine(given: EngineOptions = {}): Promise<Engine> {
  const options = readEngineOptions(given);
  options.signal?.throwIfAborted();
  const engine = await LocalEngine.open(options);
  if (options.model === undefined) return engine;
  try {
    await engine.load(options.model, loadPart(options));
    return engine;
  } catch (error) {
    engine.dispose();
    throw error;
  }
}
