/** The built kernels as they come with the library: in text, which every bundler and every host passes on. */
import type { SimdBuild } from './memory.ts';

/** Reads a build from its chunk. @throws where the chunk cannot be loaded */
export async function readBuilt(build: SimdBuild): Promise<Uint8Array<ArrayBuffer>> {
  const { default: url } = await (build === 'relaxed'
    ? import('../../simd/built/relaxed.wasm?url&inline')
    : import('../../simd/built/plain.wasm?url&inline'));
  return Uint8Array.from(atob(url.slice(url.indexOf(',') + 1)), (letter) => letter.charCodeAt(0));
}
