/** Sessions that are never disposed of: they end with their engine, and are collected once nothing refers to them. */
import type { RunnerState } from '../run/runner.ts';

/** A session's KV cache; it knows nothing of the session, so that the session can be collected. */
export interface SessionMemory {
  state: Promise<RunnerState> | undefined;
}

/** Frees a session's state once it is open; does nothing where opening failed. */
export async function freeMemory(memory: SessionMemory): Promise<void> {
  const state = await memory.state?.catch(() => undefined);
  memory.state = undefined;
  state?.dispose();
}

const dropped = new FinalizationRegistry<SessionMemory>((memory) => void freeMemory(memory));

/** Frees the memory when the session is collected. */
export function freeWith(session: object, memory: SessionMemory): void {
  dropped.register(session, memory);
}

/** What can be disposed of. */
export interface Disposable {
  dispose(): void;
}

/** The sessions of an engine, without holding them. */
export class OpenSessions {
  readonly #open = new Set<WeakRef<Disposable>>();

  /** @param make - makes a session that calls back when it is disposed of */
  open<T extends Disposable>(make: (onDispose: () => void) => T): T {
    for (const each of this.#open) if (!each.deref()) this.#open.delete(each);
    const session: T = make(() => this.#open.delete(ref));
    const ref = new WeakRef<Disposable>(session);
    this.#open.add(ref);
    return session;
  }

  disposeAll(): void {
    for (const each of this.#open) each.deref()?.dispose();
    this.#open.clear();
  }
}
