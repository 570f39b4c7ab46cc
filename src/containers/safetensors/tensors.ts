/** Tensors of one safetensors file or of several, found by name. */
import { AtomoeError } from '../../errors.ts';
import type { FileSource } from '../../io/source.ts';
import type { LostTensor, TensorInfo } from '../checkpoint.ts';
import type { OpenOptions } from '../container.ts';
import { readSafetensorsHeader, type SafetensorsHeader } from '../safetensors-header.ts';
import type { HeldTensor, OpenedTensors, Quantization } from '../tensor-files.ts';

/** An index that names no tensor: each is where it is found. */
export const NO_INDEX: ReadonlyMap<string, string> = new Map();

/** Reads the headers, and finds each tensor. Closes the sources if that fails. */
export async function openTensors(
  label: string,
  sources: readonly FileSource[],
  weightMap: ReadonlyMap<string, string>,
  options: OpenOptions,
  quantization: Quantization = (opened) => opened,
): Promise<OpenedTensors> {
  try {
    const readOne = async (source: FileSource) => ({ source, header: await readHeader(source, options) });
    const files = await Promise.all(sources.map(readOne));
    const byName = new Map<string, HeldTensor>();
    for (const { source, header } of files) {
      for (const [name, entry] of header.tensors) {
        const named = weightMap.get(name);
        if (named !== undefined && named !== source.name) continue; // a copy: the index means another
        const held = byName.get(name);
        if (held) throw heldTwice(label, held.info, source);
        byName.set(name, { info: { name, file: source.name, ...entry }, source });
      }
    }
    const there = new Set(sources.map(({ name }) => name));
    const lost = new Map<string, LostTensor>();
    for (const [name, file] of weightMap) {
      if (!byName.has(name)) lost.set(name, { file, isFileMissing: !there.has(file) });
    }
    return quantization({ files, byName, lost }, label);
  } catch (error) {
    for (const source of sources) source.dispose?.();
    throw error;
  }
}

function heldTwice(label: string, { name, file }: TensorInfo, source: FileSource): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${label}: tensor "${name}" is in ${file} and in ${source.name}, and model.safetensors.index.json names neither; ` +
      `one place is wanted, download the index again`,
  );
}

async function readHeader(source: FileSource, options: OpenOptions): Promise<SafetensorsHeader> {
  try {
    return await readSafetensorsHeader(source, { ...options, isPeek: true });
  } catch (error) {
    // Its length and its text are two reads that touch; either may have been damaged on its way.
    if (error instanceof AtomoeError && error.code === 'bad-file')
      source.forget?.(0, Math.min(9, source.sizeBytes));
    throw error;
  }
}
