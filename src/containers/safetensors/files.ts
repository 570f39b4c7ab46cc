/** The one weight file of a model. */
export const WEIGHTS_FILE = 'model.safetensors';

/** Says which tensor is in which of several files. */
export const INDEX_FILE = 'model.safetensors.index.json';
