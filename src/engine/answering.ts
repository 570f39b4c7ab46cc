import { AtomoeError } from '../errors.ts';
import type { Engine } from './api.ts';

/** What answers of other libraries' clients need of an engine. */
export type AnsweringEngine = Pick<Engine, 'chat' | 'completions' | 'model'>;

/** @throws {AtomoeError} bad-input - `caller` was given no engine, such as the promise of one */
export function assertEngine(engine: AnsweringEngine, caller: string): void {
  if (typeof (engine as Partial<AnsweringEngine> | undefined)?.chat?.completions.create === 'function')
    return;
  throw new AtomoeError(
    'bad-input',
    `${caller} was given no engine; wanted what createEngine resolves to; await it`,
  );
}
