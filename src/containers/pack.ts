/**
 * A packed model: a folder in which every routed expert is one record, ready for its slot.
 *
 *   atomoe.json         the manifest: how records are laid out, in which files, what each hashes to, and sections
 *   dense.safetensors   every tensor of the model that is no routed expert, as the model had it
 *   experts-00001.bin   records in the order (layer, place), each from a 4 KiB boundary on; 00002 continues where it ends
 *   config.json, ...    configs, tokenizer and chat template, as the model had them
 *
 * A record is one ranged read, and no one sees its bytes before they agree with the manifest.
 *
 * A manifest of version 2 gives each part of a record a format of its own, and its parts may be anything: matrices, biases
 * in f32. One of version 1 has one format for all; it still opens.
 *
 * The manifest's `sections` hold what came after the first readers of a version, each under a name of its own. A reader
 * passes over those that it does not know, unless `required` lists them: then it refuses the pack. This one knows
 *
 *   denseHashes   hashes of the blocks of dense.safetensors (`pack/block-hashes.ts`)
 *   levels        hashes of the parts of records in nested bit planes: the base, and each plane that refines it (`weights/record.ts`)
 *   places        in which order the records of a layer lie, where not by unit (`pack/places.ts`); always required
 */
import { AtomoeError } from '../errors.ts';
import { readJson } from '../io/json-file.ts';
import { missing, type Container, type ModelFolder } from './container.ts';
import { DENSE_FILE, MANIFEST_FILE } from './pack/files.ts';

/** Packed models: records of experts ready for slots, with hashes. */
export const packed: Container = {
  name: 'pack',
  files: [MANIFEST_FILE],
  // The path of the one weight file of a pack means the whole pack.
  claims: (entry) => entry === DENSE_FILE,
  async open(model) {
    const { folder, options } = model;
    const configs = await model.configs();
    const manifest = await readJson(folder, MANIFEST_FILE, options);
    if (manifest) {
      const { openPacked } = await import('./pack/open.ts'); // most pages open no packed model
      return openPacked(folder, configs, manifest, options);
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
