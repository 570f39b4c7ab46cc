/** Models in GGUF files, as llama.cpp stores them: one file, or several parts. Their code is loaded when there is one. */
import type { Container } from './container.ts';

/** GGUF: the file that the caller names. In a folder there may be several, one for each quantisation. */
export const gguf: Container = {
  name: 'gguf',
  files: [],
  claims: isGguf,
  async open(model) {
    const { entry } = model.folder;
    if (entry === undefined || !isGguf(entry)) return undefined;
    const { openGguf } = await import('./gguf/open.ts');
    return openGguf(model, entry);
  },
};

function isGguf(name: string): boolean {
  return /\.gguf$/i.test(name);
}
