/** The loss of a model on texts, and models that were made of others in memory. */
import { safetensorsPieces } from '../src/containers/safetensors-writer.ts';
import { LocalEngine } from '../src/engine/engine.ts';
import type { ReshapedModel } from '../src/engine/reshape/reshaped.ts';
import { memoryFolder } from '../src/io/memory.ts';
import type { FolderSource } from '../src/io/source.ts';

/** Nats per token of windows, of every token but the first. */
export async function nllOf(folder: FolderSource, windows: readonly (readonly number[])[]): Promise<number> {
  const engine = await LocalEngine.open({ device: 'cpu', threads: 1 });
  await engine.load(folder);
  let [sum, count] = [0, 0];
  for (const ids of windows) {
    const logits = await engine.logits([...ids]);
    const vocab = logits.length / ids.length;
    for (let at = 1; at < ids.length; at += 1) {
      const row = logits.subarray((at - 1) * vocab, at * vocab);
      const largest = row.reduce((most, each) => Math.max(most, each), -Infinity);
      const total = row.reduce((all, each) => all + Math.exp(each - largest), 0);
      sum += Math.log(total) + largest - (row[ids[at] ?? 0] ?? NaN);
      count += 1;
    }
  }
  engine.dispose();
  return sum / count;
}

export async function written({ config, tensors }: ReshapedModel): Promise<FolderSource> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
  const weights = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return memoryFolder({ 'config.json': JSON.stringify(config), 'model.safetensors': weights });
}
