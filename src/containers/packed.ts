/** Packed models (`pack.ts`): the experts are records, and the other tensors lie in one safetensors file beside them. */
import { AtomoeError } from '../errors.ts';
import { readJson, type JsonObject } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import { verifiedFile } from './block-hashes.ts';
import { missing, type Container, type ModelFolder, type OpenOptions } from './container.ts';
import {
  assertHashing,
  DENSE_FILE,
  MANIFEST_FILE,
  openPack,
  parseManifest,
  type ExpertPack,
} from './pack.ts';
import { checkpointOf, NO_INDEX, openTensors, type OpenedTensors } from './tensor-files.ts';

export const packed: Container = {
  name: 'pack',
  // Whoever points at the one weight file of a pack means the whole pack.
  claims: (entry) => entry === DENSE_FILE,
  async open(model) {
    const { folder, options } = model;
    const configs = await model.configs();
    const manifest = await readJson(folder, MANIFEST_FILE, options);
    if (manifest) {
      const { tensors, records } = await openPacked(folder, manifest, options);
      return checkpointOf(folder.label, configs, tensors, records);
    }
    if (folder.entry !== DENSE_FILE) return undefined;
    throw (await unfinished(model)) ?? missing(folder, MANIFEST_FILE, `${DENSE_FILE} belongs to it`);
  },
  explain: unfinished,
};

/** Packing writes the dense tensors first and the manifest last. */
async function unfinished({ folder }: ModelFolder): Promise<AtomoeError | undefined> {
  const options = { isOptional: true };
  const [started, finished] = await Promise.all([
    folder.open(DENSE_FILE, options),
    folder.open(MANIFEST_FILE, options),
  ]);
  started?.dispose?.();
  finished?.dispose?.();
  if (!started || finished) return undefined;
  return new AtomoeError(
    'bad-file',
    `${folder.label}: packing this model was not finished, ${DENSE_FILE} is there and ${MANIFEST_FILE}, which is ` +
      `written last, is not; pack it again into a new folder`,
  );
}

async function openPacked(
  folder: FolderSource,
  json: JsonObject,
  options: OpenOptions,
): Promise<{ tensors: OpenedTensors; records: ExpertPack }> {
  const manifest = parseManifest(json, `${folder.label}: ${MANIFEST_FILE}`);
  assertHashing(folder);
  const dense = await folder.open(DENSE_FILE, options);
  if (!dense) throw missing(folder, DENSE_FILE, `${MANIFEST_FILE} names it`);
  if (dense.sizeBytes !== manifest.denseBytes) {
    dense.dispose?.();
    throw new AtomoeError(
      'bad-file',
      `${folder.label}: ${DENSE_FILE} has ${dense.sizeBytes} bytes, ${MANIFEST_FILE} says ${manifest.denseBytes}; ` +
        `download both again`,
    );
  }
  const source = manifest.denseHashes ? verifiedFile(folder, dense, manifest.denseHashes) : dense;
  const tensors = await openTensors(folder.label, [source], NO_INDEX, options);
  try {
    return { tensors, records: await openPack(folder, manifest, options) };
  } catch (error) {
    source.dispose?.();
    throw error;
  }
}
