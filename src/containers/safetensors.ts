/** Models as Hugging Face stores them: model.safetensors, or several of its kind behind an index. Their code is loaded beside the configs. */
import type { Container, ModelFolder } from './container.ts';
import { INDEX_FILE, WEIGHTS_FILE } from './safetensors/files.ts';

/** One file: the folder's entry, or model.safetensors. */
export const safetensors: Container = {
  name: 'safetensors',
  files: [WEIGHTS_FILE],
  async open(model) {
    const [{ openSingle }, configs] = await codeAndConfigs(model);
    return openSingle(model, configs);
  },
};

/** Several files, and an index that says which tensor is in which. */
export const shardedSafetensors: Container = {
  name: 'safetensors shards',
  files: [INDEX_FILE],
  async open(model) {
    const [{ openSharded }, configs] = await codeAndConfigs(model);
    return openSharded(model, configs);
  },
};

function codeAndConfigs(model: ModelFolder) {
  return Promise.all([import('./safetensors/open.ts'), model.configs()]);
}
