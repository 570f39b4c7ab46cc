import type { ConfigReader } from './config.ts';
import type { FileTensors } from './file-tensors.ts';
import type { ModelSpec } from './spec.ts';

/** How configs of some model types are read. */
export interface ConfigFamily {
  readonly modelTypes: readonly string[]; // `model_type` in config.json
  /** `file` says which of several spellings a file uses; without one, the usual spelling is meant. */
  readonly parse: (config: ConfigReader, file?: FileTensors) => ModelSpec;
}
