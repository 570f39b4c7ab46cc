/** The interface of a container: a way in which models are stored. One file implements it, and a row of `index.ts` lists it. */
import { AtomoeError } from '../errors.ts';
import type { JsonObject } from '../io/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import type { Checkpoint } from './checkpoint.ts';

/** A way in which models are stored. */
export interface Container {
  readonly name: string; // `safetensors`
  readonly files: readonly string[]; // by which a folder of the kind is known: errors list what was looked for
  /** Whether a folder whose entry is this file is stored so: such a container is asked first. */
  readonly claims?: (entry: string) => boolean;
  /**
   * Opens a folder that is stored so, reading headers only.
   *
   * @returns undefined where it is stored in another way
   * @throws {AtomoeError} bad-file; unsupported-model; network and the like - it is stored so, and cannot be used
   */
  open(model: ModelFolder): Promise<Checkpoint | undefined>;
  /** Why a folder that no container opened is nearly one of this kind; undefined where it is not. */
  explain?(model: ModelFolder): Promise<AtomoeError | undefined>;
}

/** A folder that is being opened. */
export interface ModelFolder {
  readonly folder: FolderSource;
  readonly options: OpenOptions;
  /**
   * config.json and its like, for containers that do not hold their own. Read once; `options.accept` has seen it.
   *
   * @throws {AtomoeError} bad-file - there is no config.json
   */
  configs(): Promise<Configs>;
}

/** The parsed configuration files of a model. */
export interface Configs {
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
}

/** How a container is opened. */
export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** Sees the config before any weight file is asked for, and throws where it is of no use. */
  readonly accept?: (config: JsonObject, label: string) => void;
}

/** That a file is not there which has to be. */
export function missing(folder: FolderSource, name: string, why: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${folder.label}: ${name} is missing (${why}); ` +
      (folder.advice ?? 'give a Hugging Face model folder with config.json and safetensors weights'),
  );
}
