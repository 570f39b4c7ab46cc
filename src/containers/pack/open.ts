/** Opens what a packed model's manifest names: the dense tensors and the records. Loaded where there is a manifest. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { FolderSource } from '../../io/source.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { missing, type Configs, type OpenOptions } from '../container.ts';
import { NO_INDEX, openTensors } from '../safetensors/tensors.ts';
import { checkpointOf } from '../tensor-files.ts';
import { verifiedFile } from './block-hashes.ts';
import { DENSE_FILE, MANIFEST_FILE } from './files.ts';
import { parseManifest } from './manifest.ts';
import { openRecords } from './records.ts';

const UNVERIFIED =
  'this pack has no hashes of its dense part: damage there goes unseen, as in plain safetensors; pack the model again ' +
  'with this version to have them';

/** @throws {AtomoeError} bad-file; unsupported-model - of a newer version; integrity - this page cannot check hashes */
export async function openPacked(
  folder: FolderSource,
  configs: Configs,
  json: JsonObject,
  options: OpenOptions,
): Promise<Checkpoint> {
  const manifest = await parseManifest(json, `${folder.label}: ${MANIFEST_FILE}`);
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
  const { denseHashes } = manifest;
  const source = denseHashes ? verifiedFile(folder, dense, denseHashes) : dense;
  const tensors = await openTensors(folder.label, [source], NO_INDEX, options);
  try {
    const records = await openRecords(folder, manifest, options);
    const checkpoint = checkpointOf(folder.label, configs, tensors, records);
    return denseHashes ? checkpoint : { ...checkpoint, unverified: UNVERIFIED };
  } catch (error) {
    source.dispose?.();
    throw error;
  }
}

function assertHashing(folder: FolderSource): void {
  if (globalThis.crypto?.subtle) return;
  throw new AtomoeError(
    'integrity',
    `${folder.label}: this page has no crypto.subtle, which checks each expert of a packed model; serve the page ` +
      `over https or from localhost`,
  );
}
