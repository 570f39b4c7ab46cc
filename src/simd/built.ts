/** The built kernels as they come with the library: in text, which every bundler and every host passes on. */
import type { BuiltName } from './modules.ts';

const CHUNKS: Readonly<Record<BuiltName, () => Promise<{ readonly default: string }>>> = {
  plain: () => import('../../simd/built/plain.wasm?url&inline'),
  'plain-threads': () => import('../../simd/built/plain-threads.wasm?url&inline'),
  relaxed: () => import('../../simd/built/relaxed.wasm?url&inline'),
  'relaxed-threads': () => import('../../simd/built/relaxed-threads.wasm?url&inline'),
};

/** Whether there is a build of this name. */
export function isBuilt(name: string): name is BuiltName {
  return Object.hasOwn(CHUNKS, name);
}

/** Reads a build from its chunk. @throws where the chunk cannot be loaded */
export async function readBuilt(name: BuiltName): Promise<Uint8Array<ArrayBuffer>> {
  const { default: url } = await CHUNKS[name]();
  return Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
}
