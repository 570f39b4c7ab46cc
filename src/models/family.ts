import type { ConfigReader } from './config.ts';
import type { FileTensors } from './file-tensors.ts';
import type { ModelSpec } from './spec.ts';

/** A family of models: parses the configs of some model types. */
export interface ConfigFamily {
  readonly modelTypes: readonly string[]; // `model_type` in config.json
  /** `file` determines the spelling of names; default: the usual spelling. */
  readonly parse: (config: ConfigReader, file?: FileTensors) => ModelSpec;
}
