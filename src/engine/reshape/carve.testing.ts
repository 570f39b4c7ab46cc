/** A dense model for tests of carved ones. */
import type { FolderSource } from '../../io/source.ts';
import { llama2cFolder, parseLlama2c } from '../llama2c.testing.ts';
import { repositoryFolder } from '../testing.ts';

/** The stories of llama2.c, of 5 layers with MLPs of 172 neurons. */
export async function storiesFolder(): Promise<FolderSource> {
  const folder = await repositoryFolder('fixtures/llama2c');
  const bytesOf = async (name: string) => {
    const file = await folder.open(name);
    if (!file) throw new Error(`no ${name}`);
    const bytes = (await file.read(0, file.sizeBytes)).slice();
    file.dispose?.();
    return bytes;
  };
  return llama2cFolder(parseLlama2c(await bytesOf('stories260K.bin')), await bytesOf('tok512.bin'));
}
