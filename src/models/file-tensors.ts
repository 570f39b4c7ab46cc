/** The tensors in a checkpoint's headers, for families whose names depend on the tool that wrote the file. */
import { AtomoeError } from '../errors.ts';

/** Names and shapes of the tensors of a checkpoint. */
export interface FileTensors {
  readonly label: string;
  /** Names of all tensors in the files, and of those that an index assigns to a missing file. */
  names(): Iterable<string>;
  has(name: string): boolean;
}

/** The first spelling that the file has; the first of all if it has none. */
export function spelling<const T extends string>(
  file: FileTensors | undefined,
  names: readonly [T, ...T[]],
): T {
  return names.find((name) => file?.has(name)) ?? names[0];
}

/**
 * Rejects a config whose number of layers differs from the file's, before anything depends on it: a model without its last
 * layers would generate nonsense.
 *
 * @param base - prefix of `layers.`
 * @param extra - further layers that the file may have
 * @throws {AtomoeError} bad-file
 */
export function checkLayerCount(file: FileTensors, base: string, layers: number, extra = 0): void {
  const start = `${base}layers.`;
  let found = 0;
  for (const name of file.names()) {
    if (!name.startsWith(start)) continue;
    const index = /^\d{1,9}(?=\.)/.exec(name.slice(start.length));
    if (index) found = Math.max(found, Number(index[0]) + 1);
  }
  if (found >= layers && found <= layers + extra) return;
  throw new AtomoeError(
    'bad-file',
    `${file.label} config.json: num_hidden_layers is ${layers}, the file has ${found} layers; wanted the same number; ` +
      'config.json and weights do not belong together',
  );
}
