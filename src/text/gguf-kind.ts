/** Whether a GGUF header has a tokenizer at all, which is asked before the code is loaded that reads one. */

/** The key of the kind of tokenizer. */
export const GGUF_TOKENIZER_KEY = 'tokenizer.ggml.model';

/** How llama.cpp names the lack of a tokenizer. */
const NO_TOKENIZERS: readonly unknown[] = [undefined, 'none', 'no_vocab'];

/** @param model - what the header has under `GGUF_TOKENIZER_KEY` */
export function isNoTokenizer(model: unknown): model is undefined {
  return NO_TOKENIZERS.includes(model);
}
