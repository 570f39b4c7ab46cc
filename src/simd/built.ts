/** The built kernels as they come with the library: in text, which every bundler and every host passes on. */
import type { BuiltName } from './modules.ts';
import { withSharedMemory } from './shared-memory.ts';

type Chunk = () => Promise<{ readonly default: string }>;

const plain: Chunk = () => import('../../simd/built/plain.wasm?url&inline');
const relaxed: Chunk = () => import('../../simd/built/relaxed.wasm?url&inline');

const CHUNKS: Readonly<Record<BuiltName, Chunk>> = {
  plain,
  'plain-threads': plain,
  relaxed,
  'relaxed-threads': relaxed,
};

/** Whether there is a build of this name. */
export function isBuilt(name: string): name is BuiltName {
  return Object.hasOwn(CHUNKS, name);
}

/** Reads a build from its chunk. @throws where the chunk cannot be loaded */
export async function readBuilt(name: BuiltName): Promise<Uint8Array<ArrayBuffer>> {
  const { default: url } = await CHUNKS[name]();
  const bytes = Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
  return name.endsWith('-threads') ? withSharedMemory(bytes) : bytes;
}
