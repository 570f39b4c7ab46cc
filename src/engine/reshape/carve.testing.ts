/** A dense model for tests of carved ones. */
import { openCheckpoint } from '../../containers/index.ts';
import type { FolderSource } from '../../io/source.ts';
import { llama2cFolder, parseLlama2c } from '../llama2c.testing.ts';
import { repositoryFolder } from '../testing.ts';
import type { FloatDtype } from '../../weights/dtypes.ts';
import { folderOf } from './reshape.testing.ts';
import { computedTensor } from './reshaped.ts';

/** The stories of llama2.c, of 5 layers with MLPs of 172 neurons. */
export async function storiesFolder(dtype: FloatDtype = 'F32'): Promise<FolderSource> {
  const folder = await repositoryFolder('fixtures/llama2c');
  const bytesOf = async (name: string) => {
    const file = await folder.open(name);
    if (!file) throw new Error(`no ${name}`);
    const bytes = (await file.read(0, file.sizeBytes)).slice();
    file.dispose?.();
    return bytes;
  };
  const stories = await llama2cFolder(
    parseLlama2c(await bytesOf('stories260K.bin')),
    await bytesOf('tok512.bin'),
  );
  if (dtype === 'F32') return stories;
  const checkpoint = await openCheckpoint(stories);
  const tensors = [...checkpoint.names()].map((name) =>
    computedTensor(name, { dtype, shape: checkpoint.tensor(name)?.shape ?? [] }, () =>
      checkpoint.readF32(name),
    ),
  );
  return folderOf({ config: checkpoint.config, tensors });
}
