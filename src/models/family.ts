import type { ConfigReader, ConfigValues } from './config.ts';
import type { FileTensors } from './file-tensors.ts';
import type { ModelSpec } from './spec.ts';

/** A family of models: parses the configs of some model types. */
export interface ConfigFamily {
  readonly modelTypes: readonly string[]; // `model_type` in config.json
  /** `file` determines the spelling of names; default: the usual spelling. */
  readonly parse: (config: ConfigReader, file?: FileTensors) => ModelSpec;
}

/** A family of the library. */
export interface BuiltInFamily extends ConfigFamily {
  /** By `model_type`: what the class in transformers assumes for absent keys. */
  readonly defaults?: ReadonlyMap<string, ConfigValues>;
}
